// Traces of requests, as files: what a cache was asked for, in order, for comparing policies and capacities. The format
// is described in docs/reference/trace-format.md.
#pragma once

#include <cstdint>
#include <vector>

#include <larder/codec.hpp>
#include <larder/result.hpp>

namespace larder::codec {

// A request. In a file little-endian, like everything larder writes.
struct TraceRecord {
  std::uint64_t key;
  std::uint32_t size;     // bytes of the value, at least 1
  std::uint32_t cost_us;  // to compute it, 0 if that is not known
};
static_assert(sizeof(TraceRecord) == 16);

// The requests in a file's bytes, which may be compressed with zstd. Errc::damaged, saying where, if they are none.
[[nodiscard]] Result<std::vector<TraceRecord>> decode_trace(Bytes file);

// What to believe of costs where a trace has none, or to see what they matter.
enum class CostModel : std::uint8_t {
  native,        // the trace's
  proportional,  // to the size
  log_normal,    // median 1, sigma 2, from the key alone
  unit,          // 1: what is saved are hits
};
[[nodiscard]] double cost_of(const TraceRecord& request, CostModel model);

// 64 well mixed bits of the key (splitmix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
// OOPSLA 2014): traces number keys densely.
[[nodiscard]] std::uint64_t fingerprint_of(const TraceRecord& request) noexcept;

}  // namespace larder::codec
