// Small arithmetic on sizes.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

namespace larder::base {

// `value` rounded up to a multiple of `alignment`. REQUIRES: a power of two; no overflow.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T align_up(T value, T alignment) noexcept {
  return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace larder::base
