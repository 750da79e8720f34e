// Replays traces through the memory tier itself.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/trace.hpp"
#include "policy/policy.hpp"

namespace bench {

struct Replayed {
  double hit_ratio = 0;
  double byte_hit_ratio = 0;
  double cost_saved_ratio = 0;
  double ns_per_request = 0;
};

// Each request is a get, and a put if that missed, of a value that weighs what the trace says and no more. Threads take
// the requests one by one, in order.
[[nodiscard]] Replayed replay(const std::vector<larder::codec::TraceRecord>& requests, larder::policy::Make make,
                              std::uint64_t capacity, larder::codec::CostModel model, unsigned threads);

}  // namespace bench
