// Reading the clock, and keeping the optimizer from removing what is measured.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace bench {

[[nodiscard]] inline std::int64_t now_ns() noexcept {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

// Makes the compiler believe that `value` is used.
template <class T>
inline void keep(const T& value) noexcept {
  asm volatile("" : : "r,m"(value) : "memory");
}

// What an interval between two readings of the clock shows when nothing happens in between (median). Latencies of
// single operations include it; figures over batches do not.
[[nodiscard]] inline std::int64_t timer_overhead_ns() {
  std::vector<std::int64_t> samples(10'001);
  for (std::int64_t& sample : samples) {
    const std::int64_t start = now_ns();
    sample = now_ns() - start;
  }
  std::ranges::nth_element(samples, samples.begin() + 5'000);
  return samples[5'000];
}

}  // namespace bench
