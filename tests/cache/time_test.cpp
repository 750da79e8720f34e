// When entries are fresh, stale and over: by a clock that the test sets, in memory and in the store alike.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

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
  // What get_or_compute() answers with these options, if computing gives `value`. What is on its way to the store, from
  // where nobody computes it anew, arrives there.
  static int ask(Cache& cache, const EntryOptions& options, int value) {
    const auto compute = [&] { return value; };
    const int answer = *cache.get_or_compute("k", compute, options);
    cache.flush();
    return answer;
  }
  static int ask_in_vain(Cache& cache, const EntryOptions& options) {
    return *cache.get_or_compute(
        "k", []() -> int { throw std::runtime_error("in vain"); }, options);
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

const EntryOptions k_plain = {.ttl = 10s};
const EntryOptions k_ahead = {.ttl = 10s, .refresh_ahead = 4s};
const EntryOptions k_stale = {.ttl = 10s, .stale_while_revalidate = 5s};
const EntryOptions k_on_error = {.ttl = 10s, .stale_if_error = 5s};

TEST_P(TimeTest, AStaleValueIsNoHitForWhoAsksWithoutAWindow) {
  Cache cache = open();
  cache.put("k", 1, k_stale);
  EXPECT_EQ(cache.entry("k")->expires, now() + 10s);
  EXPECT_EQ(cache.entry("k")->stale_until, now() + 15s);
  for (const bool written : {false, true}) {
    if (written) cache.flush();
    pass(written ? 0s : 10s);
    EXPECT_FALSE(cache.get<int>("k"));
    EXPECT_FALSE(cache.contains("k"));
    EXPECT_FALSE(cache.entry("k"));
    EXPECT_FALSE(cache.reader("k"));
    EXPECT_FALSE(cache.claim<int>("k").ready());
  }
  ASSERT_EQ(cache.entries().size(), 1U) << "it is listed for as long as it is kept";
  EXPECT_EQ(cache.entries()[0].expires, now());
  EXPECT_EQ(cache.stats()[Counter::miss_expired], 6U);
  EXPECT_EQ(ask(cache, k_plain, 2), 2);
  EXPECT_EQ(*cache.get<int>("k").value(), 2);
}

TEST_P(TimeTest, WhatIsDueIsComputedByOneWhileAllOthersAreAnsweredWithTheOlderValue) {
  for (const EntryOptions& options : {k_ahead, k_stale}) {
    Cache cache = open({.write = WriteMode::through});
    Cache other = open();  // as another process sees it
    cache.remove("k");
    EXPECT_EQ(ask(cache, options, 1), 1);
    EXPECT_EQ(ask(other, options, -1), 1);
    pass(5999ms);
    EXPECT_EQ(ask(cache, options, -1), 1) << "not due";
    const bool ahead = options.refresh_ahead.nanoseconds().value() != 0ns;
    pass(ahead ? 1ms : 4001ms);
    const auto compute = [&] {
      std::thread([&] { EXPECT_EQ(ask(cache, options, -1), 1) << "in the same process"; }).join();
      std::thread([&] { EXPECT_EQ(ask(other, options, -1), 1) << "in another process"; }).join();
      EXPECT_EQ(ask(cache, options, -1), 1) << "in the computation itself";
      return 2;
    };
    EXPECT_EQ(*cache.get_or_compute("k", compute, options), 2);
    EXPECT_EQ(*cache.get<int>("k").value(), 2);
    EXPECT_EQ(*other.get<int>("k").value(), 2) << "nobody is answered with the older value from now on";
    EXPECT_EQ(ask(other, options, -1), 2);
    EXPECT_EQ(cache.stats()[Counter::refreshed], 1U);
    EXPECT_EQ(cache.stats()[Counter::computation], 2U);
    EXPECT_EQ(other.stats()[Counter::computation], 0U);
  }
}

TEST_P(TimeTest, StaleHitsAreCountedAmongTheHits) {
  Cache cache = open();
  ask(cache, k_stale, 1);
  pass(12s);
  (void)cache.get_or_compute(
      "k", [&] { return std::thread([&] { ask(cache, k_stale, -1); }).join(), 2; }, k_stale);
  EXPECT_EQ(cache.stats().hits(), 1U);
  EXPECT_EQ(cache.stats()[Counter::stale_hit], 1U);
  EXPECT_EQ(cache.stats()[Counter::miss_expired], 1U);
}

TEST_P(TimeTest, AValueThatWasPutWithoutWindowsIsRefreshedAheadAllTheSame) {
  Cache cache = open();
  cache.put("k", 1, k_plain);
  cache.flush();
  pass(7s);
  EXPECT_EQ(ask(cache, k_plain, -1), 1);
  EXPECT_EQ(ask(cache, k_ahead, 2), 2);
  EXPECT_EQ(ask(cache, k_ahead, -1), 2);
}

TEST_P(TimeTest, WhenItsWindowIsOverAStaleValueIsComputedAnewForEverybody) {
  Cache cache = open();
  ask(cache, {.ttl = 10s, .stale_while_revalidate = 1h}, 1);
  pass(15s);
  EXPECT_EQ(ask(cache, k_stale, 2), 2) << "the window is that of who asks";
  pass(15s);
  EXPECT_EQ(ask(cache, {.ttl = 10s, .stale_while_revalidate = 1h}, 3), 3) << "it was kept for five seconds";
  EXPECT_EQ(cache.stats()[Counter::stale_hit], 0U);
}

TEST_P(TimeTest, IfComputingItAnewFailsTheStaleValueIsTheAnswer) {
  std::vector<std::string> told;
  Cache cache = open({.on_event = [&](const Event& event) {
    EXPECT_EQ(event.reason, Counter::answered_on_error);
    told.push_back(event.text);
  }});
  ask(cache, k_on_error, 1);
  pass(14'999ms);
  EXPECT_EQ(ask_in_vain(cache, k_on_error), 1);
  EXPECT_EQ(ask_in_vain(cache, k_on_error), 1) << "each caller tries";
  EXPECT_EQ(cache.stats()[Counter::answered_on_error], 2U);
  EXPECT_EQ(cache.stats()[Counter::computation_failed], 2U);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_NE(told[0].find("in vain"), std::string::npos) << told[0];
  EXPECT_THROW(ask_in_vain(cache, k_stale), std::runtime_error) << "who does not take it gets the exception";
  pass(1ms);
  EXPECT_THROW(ask_in_vain(cache, k_on_error), std::runtime_error);
  EXPECT_EQ(ask(cache, k_on_error, 2), 2) << "exceptions are not cached";
}

TEST_P(TimeTest, AFreshValueIsTheAnswerIfRefreshingItAheadFails) {
  Cache cache = open();
  ask(cache, k_ahead, 1);
  pass(9s);
  EXPECT_EQ(ask_in_vain(cache, k_ahead), 1);
  const auto late = [&]() -> int {
    pass(1s);
    throw std::runtime_error("late");
  };
  EXPECT_THROW((void)cache.get_or_compute("k", late, k_ahead), std::runtime_error) << "it is not fresh any more";
}

TEST_P(TimeTest, WhoWaitsForAComputationThatFailsTakesTheStaleValueToo) {
  Cache cache = open();
  ask(cache, k_on_error, 1);
  pass(12s);
  std::thread waiter;
  const auto compute = [&]() -> int {
    waiter = std::thread([&] { EXPECT_EQ(ask_in_vain(cache, k_on_error), 1); });
    std::this_thread::sleep_for(20ms);
    throw std::runtime_error("in vain");
  };
  EXPECT_EQ(*cache.get_or_compute("k", compute, k_on_error), 1);
  waiter.join();
}

TEST_P(TimeTest, NoStaleValueIsAnsweredAfterItsRemovalOverwriteOrInvalidation) {
  Cache cache = open();
  Cache other = open();
  EntryOptions options = {.ttl = 10s, .stale_while_revalidate = 1h, .stale_if_error = 1h, .tags = {"t"}};
  const std::vector<std::function<void(Cache&)>> ends = {
      [](Cache& by) { by.remove("k"); },
      [](Cache& by) { by.invalidate("t"); },
      [](Cache& by) { by.clear(); },
  };
  for (Cache* const by : {&cache, &other}) {
    for (const auto& end : ends) {
      ask(cache, options, 1);
      cache.flush();
      pass(12s);
      end(*by);
      EXPECT_THROW(ask_in_vain(cache, options), std::runtime_error);
      EXPECT_EQ(ask(cache, options, 2), 2);
      cache.flush();
      pass(12s);
      const auto ended_meanwhile = [&]() -> int {
        end(*by);
        throw std::runtime_error("in vain");
      };
      EXPECT_THROW((void)cache.get_or_compute("k", ended_meanwhile, options), std::runtime_error);
      cache.clear();
    }
    ask(cache, options, 1);
    cache.flush();
    pass(12s);
    const auto overwritten_meanwhile = [&] { return by->put("k", 3, options), 2; };
    EXPECT_EQ(*cache.get_or_compute("k", overwritten_meanwhile, options), 2);
    by->flush();
    EXPECT_EQ(*cache.get<int>("k").value(), 3) << "what was put meanwhile stands";
    EXPECT_EQ(*other.get<int>("k").value(), 3);
    cache.clear();
  }
}

TEST_P(TimeTest, WhatIsRefreshedButNotKeptLeavesTheOlderValueWhereItIs) {
  Cache cache = open();
  ask(cache, k_ahead, 1);
  pass(7s);
  EntryOptions never_kept = k_ahead;
  never_kept.store_if = StoreIf([](const int&) { return false; });
  EXPECT_EQ(ask(cache, never_kept, 2), 2);
  EXPECT_EQ(*cache.get<int>("k").value(), 1);
}

TEST_P(TimeTest, AStaleValueOutlivesItsProcess) {
  {
    Cache gone = open();
    ask(gone, k_on_error, 1);
  }
  Cache cache = open();
  pass(12s);
  EXPECT_EQ(ask_in_vain(cache, k_on_error), 1);
}

// What get_or_compute() answers of a key that may have no answer; -1: none.
int look(Cache& cache, const EntryOptions& options, std::optional<int> result) {
  const std::optional<Ref<int>> found = cache.get_or_compute<int>(
      "k", [&] { return result; }, options);
  cache.flush();
  return found ? **found : -1;
}
const EntryOptions k_negative = {.ttl = 10s, .negative_ttl = 2s};

TEST_P(TimeTest, ThatThereIsNoAnswerIsKeptForItsOwnTtl) {
  Cache cache = open();
  Cache other = open();
  EXPECT_EQ(look(cache, k_negative, std::nullopt), -1);
  for (Cache* const by : {&cache, &other}) {
    EXPECT_EQ(look(*by, k_negative, 1), -1) << "known";
    const Lookup<int> found = by->get<int>("k");
    EXPECT_FALSE(found);
    EXPECT_TRUE(found.is_negative()) << "which is no miss";
    EXPECT_FALSE(by->reader("k"));
    EXPECT_EQ(by->stats().hits(), 2U);
    EXPECT_EQ(by->stats()[Counter::negative_hit], 2U);
    ASSERT_TRUE(by->entry("k"));
    EXPECT_TRUE(by->entry("k")->no_answer);
    EXPECT_EQ(by->entry("k")->expires, now() + 2s);
    ASSERT_EQ(by->entries().size(), 1U);
    EXPECT_TRUE(by->entries()[0].no_answer);
  }
  pass(2s);
  EXPECT_FALSE(cache.get<int>("k").is_negative());
  EXPECT_EQ(look(other, k_negative, 1), 1);
  EXPECT_EQ(look(cache, k_negative, std::nullopt), 1) << "an answer is kept for the other TTL";
  EXPECT_EQ(cache.entry("k")->expires, now() + 10s);
  EXPECT_FALSE(cache.entry("k")->no_answer);
}

TEST_P(TimeTest, WithoutANegativeTtlItIsNotKeptThatThereIsNoAnswer) {
  Cache cache = open();
  EXPECT_EQ(look(cache, k_plain, std::nullopt), -1);
  EXPECT_FALSE(cache.contains("k"));
  EXPECT_EQ(look(cache, k_plain, 1), 1);
}

TEST_P(TimeTest, WhoseFunctionBringsAnAnswerComputesInThePlaceOfNone) {
  Cache cache = open();
  Cache other = open();
  EXPECT_EQ(look(cache, k_negative, std::nullopt), -1);
  EXPECT_TRUE(other.get<int>("k").is_negative());
  EXPECT_EQ(ask(cache, k_plain, 1), 1);
  EXPECT_EQ(look(cache, k_negative, 2), 1);
  EXPECT_EQ(look(other, k_negative, 2), 1);
  cache.remove("k");
  EXPECT_EQ(look(cache, k_negative, std::nullopt), -1);
  Claim<int> claim = other.claim<int>("k");
  ASSERT_FALSE(claim.ready());
  claim.fulfil(3);
  EXPECT_EQ(look(cache, k_negative, 2), 3);
}

TEST_P(TimeTest, AnAnswerIsPutOverNoneAndNoneIsGoneWhenItIsRemoved) {
  Cache cache = open();
  EXPECT_EQ(look(cache, k_negative, std::nullopt), -1);
  cache.put("k", 1);
  EXPECT_EQ(look(cache, k_negative, 2), 1);
  cache.remove("k");
  EXPECT_EQ(look(cache, k_negative, std::nullopt), -1);
  EXPECT_TRUE(cache.remove("k"));
  EXPECT_FALSE(cache.get<int>("k").is_negative());
}

TEST_P(TimeTest, AnOptionalOfWhichNoTypeIsNamedIsAValueLikeAny) {
  Cache cache = open();
  const auto nothing = []() -> std::optional<int> { return std::nullopt; };
  EXPECT_EQ(*cache.get_or_compute("k", nothing, k_negative), std::nullopt);
  EXPECT_FALSE(cache.entry("k")->no_answer);
  EXPECT_EQ(cache.entry("k")->expires, now() + 10s);
}

TEST_P(TimeTest, ThatThereIsNoAnswerHasTheSameWindowsAsAnAnswer) {
  Cache cache = open();
  EntryOptions options = k_negative;
  options.stale_if_error = 5s;
  EXPECT_EQ(look(cache, options, std::nullopt), -1);
  pass(3s);
  const auto fail = []() -> std::optional<int> { throw std::runtime_error("in vain"); };
  EXPECT_FALSE(cache.get_or_compute<int>("k", fail, options));
  EXPECT_THROW((void)cache.get_or_compute<int>("k", fail, k_negative), std::runtime_error);
}

INSTANTIATE_TEST_SUITE_P(Tiers, TimeTest, ::testing::Values(0, 1 << 20),
                         [](const auto& memory) { return memory.param == 0 ? "StoreAlone" : "WithMemory"; });

}  // namespace
}  // namespace larder
