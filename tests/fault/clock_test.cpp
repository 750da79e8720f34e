// The system's clock may be set at any time, and may never have been: values expire by it, and nothing else depends on
// it.
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <string>

#include <larder/larder.hpp>

#include "base/clock.hpp"
#include "support/temporary_directory.hpp"

namespace {
std::atomic<std::int64_t> seconds_ahead{0};
}  // namespace

// In place of the C library's: the wall clock is ahead by so much.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += seconds_ahead.load();
  return result;
}

namespace larder {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t k_hour_s = 3600;
constexpr std::int64_t k_century_s = std::int64_t{100} * 365 * 24 * k_hour_s;

class Clock : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override {
    const std::int64_t before = base::wall_ms();
    seconds_ahead = k_century_s;
    if (base::wall_ms() - before < k_century_s * 1000) GTEST_SKIP() << "the clock cannot be replaced here";
    seconds_ahead = 0;
  }
  void TearDown() override { seconds_ahead = 0; }

  // In memory, or in the store alone.
  [[nodiscard]] Cache open() const {
    return Cache::open({.directory = directory_.path(),
                        .store = Size("16MiB"),
                        .memory = GetParam(),
                        .write = WriteMode::through})
        .value();
  }

 private:
  const test::TemporaryDirectory directory_;
};

TEST_P(Clock, WhereverItStandsAValueExpiresAfterItsTimeToLiveAndNotBefore) {
  // Now; when this is read; before the clocks of computers began.
  for (const std::int64_t start : {std::int64_t{0}, k_century_s, -k_century_s}) {
    SCOPED_TRACE(start);
    seconds_ahead = start;
    Cache cache = open();
    cache.put(Key{"hour", start}, std::string("v"), {.ttl = 1h});
    cache.put(Key{"longest", start}, std::string("v"), {.ttl = std::chrono::nanoseconds::max() - 1ns});
    cache.put(Key{"for ever", start}, std::string("v"));
    seconds_ahead = start + k_hour_s / 2;
    EXPECT_TRUE(cache.get<std::string>(Key{"hour", start}));
    seconds_ahead = start + 2 * k_hour_s;
    EXPECT_FALSE(cache.get<std::string>(Key{"hour", start}));
    EXPECT_TRUE(cache.get<std::string>(Key{"longest", start}));
    EXPECT_TRUE(cache.get<std::string>(Key{"for ever", start}));
  }
}

TEST_P(Clock, ThatJumpsLosesNoResultAndBringsNothingBack) {
  Cache cache = open();
  std::int64_t number = 0;
  for (const std::int64_t jump : {std::int64_t{0}, k_century_s, -k_century_s, k_hour_s, -k_hour_s, std::int64_t{0}}) {
    SCOPED_TRACE(jump);
    seconds_ahead = jump;
    const Key key{"computed"};
    ++number;
    cache.remove(key);
    EXPECT_FALSE(cache.get<std::int64_t>(key)) << "removed";
    EXPECT_EQ(*cache.get_or_compute(key, [&] { return number; }, {.ttl = 1h}), number);
    EXPECT_EQ(*cache.get_or_compute(key, [] { return std::int64_t{-1}; }, {.ttl = 1h}), number);
    cache.put(key, -number, {.ttl = 1h});
    EXPECT_EQ(*cache.get_or_compute(key, [] { return std::int64_t{-1}; }), -number);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, Clock, ::testing::Values(0, 1 << 20),
                         [](const auto& memory) { return memory.param == 0 ? "StoreAlone" : "WithMemory"; });

}  // namespace
}  // namespace larder
