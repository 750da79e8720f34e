// Byte shuffle: the first bytes of all numbers, then the second ones, and so on. The bytes of neighboring numbers that
// are alike (signs, exponents, leading zeros) then lie side by side, which is what compressors look for.
#pragma once

#include <cstddef>
#include <span>

#include <larder/codec.hpp>

namespace larder::codec {

// Whether numbers of so many bytes can be shuffled: 2, 4, 8 or 16. 1 leaves everything as it is.
[[nodiscard]] constexpr bool is_width(std::size_t width) noexcept {
  return width == 1 || width == 2 || width == 4 || width == 8 || width == 16;
}

// `from`, shuffled as numbers of `width` bytes, into `to`; bytes behind the last whole number stay where they are.
// REQUIRES: is_width(width); `to` is as long as `from` and does not overlap it.
void shuffle(Bytes from, std::size_t width, std::span<std::byte> to) noexcept;
// The inverse.
void unshuffle(Bytes from, std::size_t width, std::span<std::byte> to) noexcept;

}  // namespace larder::codec
