// When entries are fresh, stale and over: by a clock that the test sets, in memory and in the store alike.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <set>
#include <stdexcept>
#include <string>

#include <larder/larder.hpp>

#include "support/temporary_directory.hpp"

namespace larder {
namespace {

using namespace std::chrono_literals;

class TimeTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  // A cache with memory, or on the store alone, that goes by this test's clock.
  [[nodiscard]] Cache open(Options options = {}) const {
    options.directory = directory_.path();
    options.store = Size("16MiB");
    options.memory = GetParam();
    options.clock = [this] { return now_ms_.load(); };
    return Cache::open(options).value();
  }
  void pass(std::chrono::milliseconds time) { now_ms_ += time.count(); }
  [[nodiscard]] std::chrono::system_clock::time_point now() const {
    return std::chrono::system_clock::time_point(std::chrono::milliseconds(now_ms_.load()));
  }

 private:
  const test::TemporaryDirectory directory_;
  std::atomic<std::int64_t> now_ms_{1'000'000};  // long before any system's clock
};

TEST_P(TimeTest, AValueExpiresToTheMillisecondByTheClockOfItsCache) {
  Cache cache = open({.write = WriteMode::through});
  cache.put("k", std::string("v"), {.ttl = 1500ms});
  EXPECT_EQ(cache.entry("k")->created, now());
  EXPECT_EQ(cache.entry("k")->expires, now() + 1500ms);
  pass(1499ms);
  EXPECT_TRUE(cache.get<std::string>("k"));
  EXPECT_TRUE(cache.contains("k"));
  EXPECT_EQ(cache.entries().size(), 1U);
  pass(1ms);
  EXPECT_FALSE(cache.get<std::string>("k"));
  EXPECT_FALSE(cache.contains("k"));
  EXPECT_EQ(cache.entries().size(), 0U);
  EXPECT_EQ(cache.stats()[Counter::miss_expired], 1U);
}

TEST_P(TimeTest, WhatWaitsToBeWrittenExpiresByThatClockToo) {
  Cache cache = open();
  cache.put("k", std::string("v"), {.ttl = 1s});
  EXPECT_TRUE(cache.get<std::string>("k"));
  pass(1s);
  EXPECT_FALSE(cache.get<std::string>("k"));
  EXPECT_FALSE(cache.reader("k"));
  cache.flush();
  EXPECT_FALSE(cache.get<std::string>("k"));
}

TEST_P(TimeTest, JitterTakesOffUpToItsPartOfTheTtlAndOfEachKeyAnother) {
  Cache cache = open();
  std::set<std::chrono::system_clock::time_point> ends;
  for (int i = 0; i < 100; ++i) {
    const Key key{"k", i};
    cache.put(key, i, {.ttl = 10'000s, .jitter = 0.25});
    ends.insert(cache.entry(key)->expires.value());
  }
  EXPECT_GT(ends.size(), 90U);
  EXPECT_GE(*ends.begin(), now() + 7500s);
  EXPECT_LT(*ends.begin(), now() + 8500s);
  EXPECT_GT(*ends.rbegin(), now() + 9000s);
  EXPECT_LE(*ends.rbegin(), now() + 10'000s);
}

TEST_P(TimeTest, JitterTakesNothingOffATtlThatNeverEnds) {
  Cache cache = open();
  cache.put("k", std::string("v"), {.jitter = 1});
  EXPECT_FALSE(cache.entry("k")->expires);
}

TEST_P(TimeTest, JitterThatIsNoPartIsRefusedBeforeTheWorkIsDone) {
  Cache cache = open();
  for (const double jitter : {-0.1, 1.1, std::nan("")}) {
    const auto compute = []() -> std::string { throw std::logic_error("computed"); };
    EXPECT_THROW((void)cache.get_or_compute("k", compute, {.ttl = 1s, .jitter = jitter}), Error);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, TimeTest, ::testing::Values(0, 1 << 20),
                         [](const auto& memory) { return memory.param == 0 ? "StoreAlone" : "WithMemory"; });

}  // namespace
}  // namespace larder
