// Replays traces through the memory tier itself.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/trace.hpp"
#include "policy/policy.hpp"
#include "row.hpp"

namespace bench {

// Each request is a get, and a put if that missed, of a value that weighs what the trace says and no more. Threads take
// the requests one by one, in order.
[[nodiscard]] Ratios replay(const std::vector<larder::codec::TraceRecord>& requests, larder::policy::Make make,
                            std::uint64_t capacity, larder::codec::CostModel model, unsigned threads);

}  // namespace bench
