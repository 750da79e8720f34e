#include "codec/trace.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <array>
#include <cmath>
#include <span>
#include <string>
#include <vector>

namespace larder::codec {
namespace {

const std::vector<TraceRecord> k_requests = {{0, 1, 0}, {1, 4096, 17}, {0, 1, 0}, {1ull << 63, UINT32_MAX, UINT32_MAX}};

Bytes bytes_of(const std::vector<TraceRecord>& requests) {
  return std::as_bytes(std::span(requests));
}

std::vector<std::byte> zstd(Bytes bytes) {
  std::vector<std::byte> all(ZSTD_compressBound(bytes.size()));
  all.resize(ZSTD_compress(all.data(), all.size(), bytes.data(), bytes.size(), 1));
  return all;
}

void expect_requests(const Result<std::vector<TraceRecord>>& decoded) {
  ASSERT_TRUE(decoded) << decoded.error().what();
  ASSERT_EQ(decoded->size(), k_requests.size());
  for (std::size_t i = 0; i < k_requests.size(); ++i) {
    EXPECT_EQ((*decoded)[i].key, k_requests[i].key) << i;
    EXPECT_EQ((*decoded)[i].size, k_requests[i].size) << i;
    EXPECT_EQ((*decoded)[i].cost_us, k_requests[i].cost_us) << i;
  }
}

std::string error_of(Bytes file) {
  const auto decoded = decode_trace(file);
  return decoded ? "none" : decoded.error().what();
}

TEST(Trace, TheBytesAreTheOnesOfThePage) {
  constexpr std::array<unsigned char, 16> k_file = {1, 2, 0, 0, 0, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0, 7};
  const auto decoded = decode_trace(std::as_bytes(std::span(k_file)));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->at(0).key, 0x0300000000000201u);
  EXPECT_EQ(decoded->at(0).size, 0x05000004u);
  EXPECT_EQ(decoded->at(0).cost_us, 0x07000006u);
}

TEST(Trace, ReadsBackAsItIsCompressedOrNot) {
  expect_requests(decode_trace(bytes_of(k_requests)));
  expect_requests(decode_trace(zstd(bytes_of(k_requests))));
}

TEST(Trace, SeveralCompressedPiecesOneAfterTheOtherAreOneTrace) {
  std::vector<std::byte> file;
  for (const TraceRecord& request : k_requests) {
    const std::vector<std::byte> piece = zstd(std::as_bytes(std::span(&request, 1)));
    file.insert(file.end(), piece.begin(), piece.end());
  }
  expect_requests(decode_trace(file));
}

TEST(Trace, ALongOneIsDecompressedWhole) {
  const std::vector<TraceRecord> many(1'000'000, {7, 8, 9});
  const auto decoded = decode_trace(zstd(bytes_of(many)));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->size(), many.size());
  EXPECT_EQ(decoded->back().cost_us, 9u);
}

TEST(Trace, WhatIsNoneIsRefusedWithTheReason) {
  EXPECT_EQ(error_of({}), "the trace is empty");
  EXPECT_EQ(error_of(zstd({})), "the trace is empty");
  const Bytes whole = bytes_of(k_requests);
  EXPECT_EQ(error_of(whole.first(33)), "the trace has 33 bytes, which is no multiple of the 16 of a request");
  EXPECT_EQ(error_of(bytes_of({{0, 1, 0}, {1, 0, 0}})), "request 1 of the trace has size 0");
}

TEST(Trace, ADamagedOrShortenedCompressedOneIsRefusedAndDoesNoHarm) {
  std::vector<std::byte> file = zstd(bytes_of(std::vector<TraceRecord>(10'000, {7, 8, 9})));
  for (std::size_t length = 4; length < file.size(); ++length) {
    EXPECT_FALSE(decode_trace(Bytes(file).first(length))) << length;
  }
  for (std::size_t i = 4; i < file.size(); ++i) {
    file[i] ^= std::byte{1};
    static_cast<void>(decode_trace(file));
    file[i] ^= std::byte{1};
  }
}

TEST(Trace, CostsAreWhatTheModelSays) {
  const TraceRecord request{5, 1000, 30};
  EXPECT_EQ(cost_of(request, CostModel::native), 30);
  EXPECT_EQ(cost_of(request, CostModel::proportional), 1000);
  EXPECT_EQ(cost_of(request, CostModel::unit), 1);
  double sum = 0;
  double squares = 0;
  constexpr int k_keys = 100'000;
  for (std::uint64_t key = 0; key < k_keys; ++key) {
    const double log = std::log(cost_of({key, 1, 0}, CostModel::log_normal));
    sum += log;
    squares += log * log;
  }
  EXPECT_NEAR(sum / k_keys, 0, 0.05) << "the median is 1";
  EXPECT_NEAR(std::sqrt(squares / k_keys), 2, 0.05) << "sigma";
}

}  // namespace
}  // namespace larder::codec
