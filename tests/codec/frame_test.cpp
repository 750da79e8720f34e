// Frames: values come back whole or in part, and no byte of a frame is believed that its checksums do not hold.
#include "codec/frame.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "codec/sample_values.hpp"

namespace larder::codec {
namespace {

using test::random_bytes;
using test::text_bytes;
using Raw = std::vector<std::byte>;

constexpr Method k_methods[] = {Method::lz4, Method::zstd};
constexpr std::size_t k_widths[] = {1, 2, 4, 8, 16};

Raw joined(const std::vector<Bytes>& pieces) {
  Raw result;
  for (const Bytes piece : pieces) result.insert(result.end(), piece.begin(), piece.end());
  return result;
}

Raw framed(const Raw& value, Recipe recipe) {
  const Bytes whole(value);
  const Frame frame = make_frame(std::span(&whole, 1), recipe);
  Raw bytes = joined(frame.pieces());
  EXPECT_EQ(bytes.size(), frame.size());
  return bytes;
}

// Nothing if the frame is refused.
std::optional<Raw> decoded(Bytes frame, std::uint64_t offset = 0, std::optional<std::size_t> length = std::nullopt) {
  const std::optional<FrameView> view = FrameView::open(frame);
  if (!view) return std::nullopt;
  Raw value(length.value_or(view->raw_bytes() - offset));
  return view->decode(offset, value) ? std::optional(value) : std::nullopt;
}

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(byte));
    text += digits;
  }
  return text;
}

// Half of it compresses.
Raw mixed_bytes(std::size_t length) {
  Raw bytes = random_bytes(length);
  const Raw text = text_bytes(length / 2);
  std::ranges::copy(text, bytes.begin());
  return bytes;
}

TEST(Frame, TheBytesOfAFrameAreTheOnesOfThePage) {
  const Raw value(100, std::byte{'a'});
  const Raw chunk = test::bytes_of({0x1f, 0x61, 0x01, 0x00, 0x4b, 0x50, 0x61, 0x61, 0x61, 0x61, 0x61});
  const FrameChunk table{chunk.size(), frame_chunk_checksum(chunk)};
  Raw frame = frame_head({Method::lz4, 1}, value.size(), std::span(&table, 1));
  frame.insert(frame.end(), chunk.begin(), chunk.end());
  EXPECT_EQ(hex(frame),
            "4c44525a0101010064000000000000005d39f104ed87c89a"
            "0b000000000000009eb2f2aeea82e6c8"
            "1f6101004b506161616161");
  EXPECT_EQ(decoded(frame), value);
}

TEST(Frame, ValuesOfEveryLengthComeBack) {
  for (const Method method : k_methods) {
    for (const std::size_t width : k_widths) {
      for (std::size_t length = 0; length <= 5000; length = length < 300 ? length + 1 : length + 47) {
        const Raw value = mixed_bytes(length);
        ASSERT_EQ(decoded(framed(value, {method, width})), value) << length << " bytes of width " << width;
      }
    }
  }
}

TEST(Frame, ValuesAroundTheBoundsOfChunksComeBack) {
  const std::size_t chunk = k_frame_chunk_bytes;
  for (const Method method : k_methods) {
    for (const std::size_t length : {chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 7}) {
      for (const Raw& value : {text_bytes(length), random_bytes(length), mixed_bytes(length)}) {
        for (const std::size_t width : {1, 8}) {
          ASSERT_TRUE(decoded(framed(value, {method, width})) == value) << length << " bytes of width " << width;
        }
      }
    }
  }
}

RC_GTEST_PROP(FrameProperty, AValueInPiecesComesBackAsOne, (const std::vector<std::vector<std::uint8_t>>& pieces)) {
  std::vector<Bytes> views;
  Raw whole;
  for (const auto& piece : pieces) {
    views.push_back(std::as_bytes(std::span(piece)));
    whole.insert(whole.end(), views.back().begin(), views.back().end());
  }
  const Recipe recipe{*rc::gen::elementOf(std::vector<Method>{Method::lz4, Method::zstd}),
                      *rc::gen::elementOf(std::vector<std::size_t>{1, 2, 4, 8, 16})};
  RC_ASSERT(decoded(joined(make_frame(views, recipe).pieces())) == whole);
}

TEST(Frame, PiecesMayEndAnywhereInAChunk) {
  const Raw value = mixed_bytes(3 * k_frame_chunk_bytes + 1000);
  std::vector<Bytes> pieces;
  Bytes rest(value);
  for (std::size_t length = 1; !rest.empty(); length *= 3) {
    pieces.push_back(rest.first(std::min(length, rest.size())));
    pieces.push_back({});
    rest = rest.subspan(pieces[pieces.size() - 2].size());
  }
  for (const Method method : k_methods) {
    EXPECT_TRUE(decoded(joined(make_frame(pieces, {method, 4}).pieces())) == value);
  }
}

TEST(Frame, WhatDoesNotBecomeSmallerCostsTheHeaderAndTheTable) {
  for (const Method method : k_methods) {
    for (const std::size_t length : {std::size_t{1}, std::size_t{5000}, std::size_t{k_frame_chunk_bytes + 1}}) {
      const std::uint64_t chunks = (length + k_frame_chunk_bytes - 1) / k_frame_chunk_bytes;
      EXPECT_EQ(framed(random_bytes(length), {method, 8}).size(),
                sizeof(FrameHeader) + chunks * sizeof(FrameChunk) + length);
    }
  }
}

TEST(Frame, ARangeIsTheSameAsThatPartOfTheValue) {
  const std::size_t chunk = k_frame_chunk_bytes;
  const Raw value = mixed_bytes(3 * chunk + 500);
  const std::size_t bounds[] = {0,         1,         4095,      chunk - 1,       chunk,
                                chunk + 1, 2 * chunk, 3 * chunk, 3 * chunk + 499, value.size()};
  for (const Method method : k_methods) {
    for (const std::size_t width : {1, 8}) {
      const Raw frame = framed(value, {method, width});
      for (const std::size_t from : bounds) {
        for (const std::size_t to : bounds) {
          if (from > to) continue;
          const auto part = Bytes(value).subspan(from, to - from);
          ASSERT_TRUE(decoded(frame, from, to - from) == Raw(part.begin(), part.end())) << from << " to " << to;
        }
      }
    }
  }
}

TEST(Frame, ARangeReadsNoOtherChunkThanItsOwn) {
  const std::size_t chunk = k_frame_chunk_bytes;
  const Raw value = text_bytes(3 * chunk);
  Raw frame = framed(value, {Method::zstd, 1});
  frame.back() ^= std::byte{1};  // in the last chunk
  const Bytes part = Bytes(value).subspan(chunk - 10, chunk);
  EXPECT_TRUE(decoded(frame, chunk - 10, chunk) == Raw(part.begin(), part.end()));
  EXPECT_FALSE(decoded(frame, 2 * chunk, 1)) << "the damaged one";
}

TEST(Frame, AnyByteThatIsChangedIsNoticed) {
  for (const Method method : k_methods) {
    for (const Raw& value : {text_bytes(3000), random_bytes(300), Raw{}}) {
      Raw frame = framed(value, {method, 4});
      for (std::size_t at = 0; at < frame.size(); ++at) {
        for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
          frame[at] ^= static_cast<std::byte>(flip);
          ASSERT_FALSE(decoded(frame)) << "byte " << at;
          frame[at] ^= static_cast<std::byte>(flip);
        }
      }
    }
  }
}

TEST(Frame, AFrameThatEndsEarlyIsNoticed) {
  const Raw frame = framed(text_bytes(3000), {Method::zstd, 1});
  for (std::size_t length = 0; length < frame.size(); ++length) {
    ASSERT_FALSE(decoded(Bytes(frame).first(length))) << length << " bytes";
  }
}

TEST(Frame, ChunksMayNotBeExchanged) {
  const Raw value = random_bytes(2 * k_frame_chunk_bytes);
  Raw frame = framed(value, {Method::lz4, 1});
  const auto chunks = frame.end() - static_cast<std::ptrdiff_t>(value.size());
  std::rotate(chunks, chunks + k_frame_chunk_bytes, frame.end());
  EXPECT_FALSE(decoded(frame));
}

// Whoever can compute a checksum can say what he likes: it is checked against what there is all the same.
TEST(Frame, ValidChecksumsOverNonsenseAreRefused) {
  const Raw text = text_bytes(1000);
  for (const Method method : k_methods) {
    Raw chunk(1000);
    chunk.resize(compress(method, text, chunk).value());
    const std::uint64_t sum = frame_chunk_checksum(chunk);
    const auto with = [&](std::uint64_t raw_bytes, const std::vector<FrameChunk>& table) {
      Raw frame = frame_head({method, 1}, raw_bytes, table);
      frame.insert(frame.end(), chunk.begin(), chunk.end());
      return decoded(frame);
    };
    EXPECT_EQ(with(1000, {{chunk.size(), sum}}), text);
    EXPECT_FALSE(with(999, {{chunk.size(), sum}})) << "more in it than it says";
    EXPECT_FALSE(with(1001, {{chunk.size(), sum}})) << "less in it than it says";
    EXPECT_FALSE(with(chunk.size() - 1, {{chunk.size(), sum}})) << "longer than what is in it";
    EXPECT_FALSE(with(1000, {{chunk.size() + 1, sum}})) << "beyond the end";
    EXPECT_FALSE(with(1000, {{UINT64_MAX, sum}})) << "beyond the end";
    EXPECT_FALSE(with(1000, {{0, frame_chunk_checksum({})}})) << "an empty chunk";
    EXPECT_FALSE(with(k_frame_chunk_bytes + 1, {{chunk.size(), sum}, {chunk.size() - 1, sum}}))
        << "ends before it starts";
    EXPECT_FALSE(with(1000, {})) << "no table";
    EXPECT_FALSE(with(UINT64_MAX, {{chunk.size(), sum}})) << "a table longer than the frame";
  }
}

}  // namespace
}  // namespace larder::codec
