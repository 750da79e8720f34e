// Small steps on atomics.
#pragma once

#include <atomic>
#include <cstdint>

namespace larder::base {

// Raises `value` to `at_least`, unless it is there already or beyond.
inline void raise(std::atomic<std::uint64_t>& value, std::uint64_t at_least) noexcept {
  std::uint64_t now = value.load();
  while (now < at_least && !value.compare_exchange_weak(now, at_least)) continue;
}

}  // namespace larder::base
