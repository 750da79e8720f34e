// The two clocks: wall time for what is written down, monotonic time for how long things take.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <utility>

namespace larder::base {

// Milliseconds since the Unix epoch, UTC. May step when the system's clock is set.
[[nodiscard]] inline std::int64_t wall_ms() noexcept {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// The wall clock, or what a program has put in its place.
class Clock {
 public:
  // An empty function is no replacement.
  explicit Clock(std::function<std::int64_t()> instead = {}) : instead_(std::move(instead)) {}

  // As base::wall_ms().
  [[nodiscard]] std::int64_t now_ms() const { return instead_ ? instead_() : wall_ms(); }

 private:
  std::function<std::int64_t()> instead_;
};

// Nanoseconds from an arbitrary start; never steps back.
[[nodiscard]] inline std::int64_t monotonic_ns() noexcept {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

// The same clock, some milliseconds behind, at a tenth of the cost. What is measured with it many times adds up to what
// it took: the steps cancel out.
[[nodiscard]] inline std::int64_t coarse_monotonic_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace larder::base
