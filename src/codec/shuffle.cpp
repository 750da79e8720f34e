#include "codec/shuffle.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace larder::codec {

namespace {

constexpr std::size_t k_lane_bytes = 16;
using Lane [[gnu::vector_size(k_lane_bytes)]] = std::uint8_t;

// To shuffle is to transpose a matrix of bytes: one row a number, one column a place in it. In 16 numbers of `Width`
// bytes, which are `Width` lanes, a byte's address is (number, place) in binary; shuffled, it is (place, number). That
// is a rotation of the address's bits, and interleaving the first half of all bytes with the second one, byte by byte,
// rotates them by one: 4 times for the 4 bits of the number, log2(Width) times for the way back.
template <std::size_t Width, int Times>
void rotate(std::array<Lane, Width>& lanes) noexcept {
#pragma GCC unroll 4
  for (int time = 0; time < Times; ++time) {
    std::array<Lane, Width> next;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Width / 2; ++i) {
      const Lane a = lanes[i];
      const Lane b = lanes[i + Width / 2];
      next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    lanes = next;
  }
}

template <std::size_t Width, bool Back>
void transpose(Bytes from, std::span<std::byte> to) noexcept {
  const std::size_t count = from.size() / Width;
  const std::size_t in_lanes = count / k_lane_bytes * k_lane_bytes;
  for (std::size_t n = 0; n < in_lanes; n += k_lane_bytes) {
    std::array<Lane, Width> lanes;
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Width; ++i) {
      std::memcpy(&lanes[i], from.data() + (Back ? i * count + n : n * Width + i * k_lane_bytes), k_lane_bytes);
    }
    rotate<Width, Back ? std::countr_zero(Width) : std::countr_zero(k_lane_bytes)>(lanes);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Width; ++i) {
      std::memcpy(to.data() + (Back ? n * Width + i * k_lane_bytes : i * count + n), &lanes[i], k_lane_bytes);
    }
  }
  for (std::size_t n = in_lanes; n < count; ++n) {
    for (std::size_t i = 0; i < Width; ++i) {
      const std::size_t whole = n * Width + i;
      const std::size_t shuffled = i * count + n;
      to[Back ? whole : shuffled] = from[Back ? shuffled : whole];
    }
  }
  const std::size_t rest = count * Width;
  if (rest < from.size()) std::memcpy(to.data() + rest, from.data() + rest, from.size() - rest);
}

template <bool Back>
void transpose(Bytes from, std::size_t width, std::span<std::byte> to) noexcept {
  switch (width) {
    case 2:
      return transpose<2, Back>(from, to);
    case 4:
      return transpose<4, Back>(from, to);
    case 8:
      return transpose<8, Back>(from, to);
    case 16:
      return transpose<16, Back>(from, to);
    default:
      if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
  }
}

}  // namespace

void shuffle(Bytes from, std::size_t width, std::span<std::byte> to) noexcept {
  transpose<false>(from, width, to);
}

void unshuffle(Bytes from, std::size_t width, std::span<std::byte> to) noexcept {
  transpose<true>(from, width, to);
}

}  // namespace larder::codec
