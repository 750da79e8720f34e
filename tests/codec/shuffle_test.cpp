// The byte shuffle: a permutation that is undone exactly, whatever the length.
#include "codec/shuffle.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "codec/sample_values.hpp"

namespace larder::codec {
namespace {

TEST(Shuffle, TheFirstBytesOfAllNumbersComeFirst) {
  const std::vector<std::uint32_t> numbers = {0x44332211, 0x48372615, 0x4c3b2a19};
  const std::vector<std::byte> expected =
      test::bytes_of({0x11, 0x15, 0x19, 0x22, 0x26, 0x2a, 0x33, 0x37, 0x3b, 0x44, 0x48, 0x4c});
  std::vector<std::byte> shuffled(12);
  shuffle(std::as_bytes(std::span(numbers)), 4, shuffled);
  EXPECT_EQ(shuffled, expected);
}

TEST(Shuffle, EveryByteIsWhereItsNumberAndPlaceSay) {
  for (const std::size_t width : {1, 2, 4, 8, 16}) {
    for (std::size_t length = 0; length < 700; ++length) {
      const std::vector<std::byte> value = test::random_bytes(length, width);
      const std::size_t count = length / width;
      std::vector<std::byte> expected = value;  // what is behind the last whole number stays
      for (std::size_t i = 0; i < count * width; ++i) expected[i % width * count + i / width] = value[i];
      std::vector<std::byte> shuffled(length);
      shuffle(value, width, shuffled);
      ASSERT_EQ(shuffled, expected) << length << " bytes of width " << width;
      std::vector<std::byte> back(length);
      unshuffle(shuffled, width, back);
      ASSERT_EQ(back, value) << length << " bytes of width " << width;
    }
  }
}

}  // namespace
}  // namespace larder::codec
