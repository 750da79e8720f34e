// Reading the clock, timing operations with it, and keeping the optimizer from removing what is measured.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <utility>
#include <vector>

#include "harness/statistics.hpp"

namespace bench {

[[nodiscard]] inline std::int64_t now_ns() noexcept {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

// Processor time of all threads of this process: what wall time would be if nobody else wanted the processors.
[[nodiscard]] inline std::int64_t cpu_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
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
  return quantile(std::move(samples), 0.50);
}

// What time_operations() reads.
struct OperationTimes {
  double ns;  // an operation, over all of them in one go
  double p50_ns;
  double p99_ns;
};

// Calls `operation(i)` for every i below `count` in one go, then for `singles` of them with the clock read around each.
template <class Operation>
[[nodiscard]] OperationTimes time_operations(std::size_t count, std::size_t singles, const Operation& operation) {
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < count; ++i) operation(i);
  const double ns = static_cast<double>(now_ns() - start) / static_cast<double>(count);
  std::vector<std::int64_t> samples(std::min(count, singles));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::int64_t before = now_ns();
    operation(i);
    samples[i] = now_ns() - before;
  }
  return {ns, static_cast<double>(quantile(samples, 0.50)), static_cast<double>(quantile(samples, 0.99))};
}

}  // namespace bench
