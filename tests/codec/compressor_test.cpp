// What is compressed, and how, and what is left as it is.
#include "codec/compressor.hpp"

#include <gtest/gtest.h>

#include <larder/codecs.hpp>

#include "codec/sample_values.hpp"

namespace larder::codec {
namespace {

using test::bytes_of;
using test::curve;
using test::random_bytes;
using test::text_bytes;
using Raw = std::vector<std::byte>;

struct Chosen {
  std::optional<Recipe> recipe;
  std::uint64_t bytes = 0;  // of the frame; 0: there is none
};
Chosen chosen(const Raw& value, Compression compression, std::size_t number_bytes = 1, bool is_view = false) {
  const Bytes whole(value);
  const Content content{std::span(&whole, 1), value.size(), number_bytes, is_view};
  const std::optional<Frame> frame = compress(content, compression);
  return {choose_recipe(content, compression), frame ? frame->size() : 0};
}

constexpr Compression k_all[] = {Compression::none, Compression::lz4, Compression::zstd, Compression::automatic};

TEST(Compressor, WhatDoesNotBecomeSmallerIsLeftAsItIs) {
  for (const Compression compression : k_all) {
    for (const std::size_t length : {0, 1, 40, 2000, 100'000}) {
      EXPECT_EQ(chosen(random_bytes(length), compression).bytes, 0U) << length;
    }
  }
}

TEST(Compressor, ANamedMethodIsNotTakenForThePaddingAlone) {
  const auto noise = random_bytes(70'000);
  Encoder encoder;  // refers to it
  encode(noise, encoder);
  ASSERT_GE(encoder.size(), 74'000U);
  EXPECT_EQ(chosen(encoder.joined(), Compression::zstd).bytes, 0U);
}

TEST(Compressor, NoneCompressesNothing) {
  EXPECT_EQ(chosen(text_bytes(100'000), Compression::none).bytes, 0U);
}

TEST(Compressor, AMethodThatIsNamedIsTaken) {
  EXPECT_EQ(chosen(text_bytes(500), Compression::lz4).recipe.value().method, Method::lz4);
  EXPECT_EQ(chosen(text_bytes(500), Compression::zstd).recipe.value().method, Method::zstd);
  EXPECT_GT(chosen(text_bytes(500), Compression::zstd).bytes, 0U);
  EXPECT_LT(chosen(text_bytes(500), Compression::zstd).bytes, 500U);
}

TEST(Compressor, AutomaticTakesTextAndLeavesNoise) {
  for (const std::size_t length : {std::size_t{1024}, std::size_t{100'000}, std::size_t{3} << 20}) {
    EXPECT_GT(chosen(text_bytes(length), Compression::automatic).bytes, 0U) << length;
    EXPECT_LT(chosen(text_bytes(length), Compression::automatic).bytes, length * 3 / 4) << length;
    EXPECT_FALSE(chosen(random_bytes(length), Compression::automatic).recipe) << length;
  }
}

TEST(Compressor, AutomaticLeavesValuesBelowOneKibibyte) {
  EXPECT_FALSE(chosen(Raw(1023), Compression::automatic).recipe);
  EXPECT_TRUE(chosen(Raw(1024), Compression::automatic).recipe);
}

TEST(Compressor, AutomaticTakesTheFasterMethodWhereTheOtherSavesLittleMore) {
  EXPECT_EQ(chosen(Raw(100'000), Compression::automatic).recipe.value().method, Method::lz4);
  EXPECT_EQ(chosen(text_bytes(100'000), Compression::automatic).recipe.value().method, Method::zstd);
}

TEST(Compressor, AutomaticAsksMoreOfALargeView) {
  // A third of it is noise: it becomes smaller by a little less than two thirds, or of a half.
  const auto partly_noise = [](std::size_t noise_of_ten) {
    Raw value;
    for (int i = 0; i < 64; ++i) {
      const Raw noise = random_bytes(1024 * noise_of_ten, static_cast<std::uint64_t>(i));
      value.insert(value.end(), noise.begin(), noise.end());
      value.resize(value.size() + 1024 * (10 - noise_of_ten));
    }
    return value;
  };
  EXPECT_TRUE(chosen(partly_noise(3), Compression::automatic, 1, true).recipe);
  EXPECT_FALSE(chosen(partly_noise(6), Compression::automatic, 1, true).recipe);
  EXPECT_TRUE(chosen(partly_noise(6), Compression::automatic, 1, false).recipe);
  EXPECT_TRUE(chosen(partly_noise(6), Compression::zstd, 1, true).recipe) << "who names a method gets it";
}

TEST(Compressor, AutomaticLeavesAHugeView) {
  const Raw huge(std::size_t{64} << 20);
  EXPECT_FALSE(chosen(huge, Compression::automatic, 1, true).recipe);
  EXPECT_TRUE(chosen(huge, Compression::automatic, 1, false).recipe);
}

TEST(Compressor, NumbersAreShuffledWhereThatHelps) {
  const Raw numbers = bytes_of(curve(50'000));
  for (const Compression compression : {Compression::lz4, Compression::zstd}) {
    EXPECT_EQ(chosen(numbers, compression, 8).recipe.value().width, 8U);
    const std::uint64_t plain = chosen(numbers, compression).bytes;
    EXPECT_LT(chosen(numbers, compression, 8).bytes, plain == 0 ? numbers.size() : plain);
    EXPECT_EQ(chosen(text_bytes(50'000), compression, 8).recipe.value().width, 1U) << "what was called numbers is text";
  }
}

template <class T>
std::size_t number_bytes(const T& value) {
  Encoder encoder;
  encode(value, encoder);
  return encoder.number_bytes();
}

TEST(Compressor, CodecsSayHowWideTheirNumbersAre) {
  EXPECT_EQ(number_bytes(std::vector<std::uint8_t>(100)), 1U);
  EXPECT_EQ(number_bytes(std::vector<std::int16_t>(100)), 2U);
  EXPECT_EQ(number_bytes(std::vector<float>(10'000)), 4U);
  EXPECT_EQ(number_bytes(std::vector<double>(100)), 8U);
  EXPECT_EQ(number_bytes(std::vector<std::array<float, 3>>(100)), 4U);
  EXPECT_EQ(number_bytes(std::span<const std::uint64_t>(std::vector<std::uint64_t>(100))), 8U);
  EXPECT_EQ(number_bytes(Array::copy_of(std::vector<float>(100))), 4U);
  EXPECT_EQ(number_bytes(Array::copy_of(std::vector<std::complex<double>>(100))), 16U);
  EXPECT_EQ(number_bytes(std::string(100, 'a')), 1U);
  EXPECT_EQ(number_bytes(std::tuple<std::string, std::vector<float>>("name", std::vector<float>(100))), 4U);
  EXPECT_EQ(number_bytes(std::tuple<std::string, std::vector<float>>(std::string(500, 'a'), std::vector<float>(100))),
            1U);
}

}  // namespace
}  // namespace larder::codec
