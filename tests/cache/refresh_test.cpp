// What the cache computes anew on a thread of its own, and what becomes of that when the cache is closed or the process
// forks. Nothing here depends on how long anything takes: computations wait until they are let go.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <larder/larder.hpp>

#include "support/sanitizers.hpp"
#include "support/temporary_directory.hpp"

namespace larder {
namespace {

using namespace std::chrono_literals;

const EntryOptions k_options = {.ttl = 10s, .refresh_ahead = 4s, .stale_while_revalidate = 5s};

template <class Condition>
void wait_until(const Condition& condition) {
  while (!condition()) std::this_thread::sleep_for(1ms);
}

class RefreshTest : public ::testing::Test {
 protected:
  [[nodiscard]] Cache open(Options options = {}) const {
    options.directory = directory_.path();
    options.store = Size("16MiB");
    options.clock = [this] { return now_ms_.load(); };
    return Cache::open(options).value();
  }
  // Puts 1 under the keys and lets time pass until they are due.
  void make_due(Cache& cache, int keys = 1) {
    for (int i = 0; i < keys; ++i) cache.put(Key{"k", i}, 1, k_options);
    cache.flush();
    now_ms_ += 12'000;
  }
  static bool has(Cache& cache, int key, int value) {
    const std::optional<Ref<int>> found = cache.get<int>(Key{"k", key});
    return found && **found == value;
  }

  // A computation of `value` that waits until it is let go.
  struct Gate {
    std::promise<void> open;
    std::shared_future<void> is_open = open.get_future().share();
    std::atomic<int> begun{0};
  };
  static auto gated(const std::shared_ptr<Gate>& gate, int value) {
    return detached([gate, value] {
      ++gate->begun;
      gate->is_open.wait();
      return value;
    });
  }

 private:
  const test::TemporaryDirectory directory_;
  std::atomic<std::int64_t> now_ms_{1'000'000};
};

TEST_F(RefreshTest, ADetachedFunctionComputesWhileEverybodyIsAnsweredWithTheOlderValue) {
  Cache cache = open();
  make_due(cache);
  const auto gate = std::make_shared<Gate>();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, gated(gate, 2), k_options), 1);
  wait_until([&] { return gate->begun == 1; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, gated(gate, 2), k_options), 1);
  gate->open.set_value();
  wait_until([&] { return has(cache, 0, 2); });
  EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, gated(gate, 3), k_options), 2);
  EXPECT_EQ(gate->begun, 1) << "one computation for all of them";
  EXPECT_EQ(cache.stats()[Counter::stale_hit], 20U);
  wait_until([&] { return cache.stats()[Counter::refreshed] == 1; });
}

TEST_F(RefreshTest, ADetachedFunctionIsCalledByItsCallerWhereThereIsNoOlderValue) {
  Cache cache = open();
  std::thread::id computed_by;
  // It may own what can only be moved.
  auto value = std::make_unique<int>(1);
  auto compute = detached([&computed_by, value = std::move(value)] {
    computed_by = std::this_thread::get_id();
    return *value;
  });
  EXPECT_EQ(*cache.get_or_compute("k", std::move(compute), k_options), 1);
  EXPECT_EQ(computed_by, std::this_thread::get_id());
}

TEST_F(RefreshTest, IfADetachedFunctionThrowsThatIsToldAndTheNextHitTriesAgain) {
  std::atomic<int> told{0};
  Cache cache = open({.on_event = [&](const Event& event) {
    EXPECT_EQ(event.reason, Counter::computation_failed);
    EXPECT_NE(event.text.find("in vain"), std::string::npos) << event.text;
    ++told;
  }});
  make_due(cache);
  const auto fail = detached([]() -> int { throw std::runtime_error("in vain"); });
  EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, fail, k_options), 1);
  wait_until([&] { return told == 1; });
  wait_until([&] {
    EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, fail, k_options), 1);
    return told >= 2;
  });
}

TEST_F(RefreshTest, WhatTooManyWaitForIsDroppedAndCounted) {
  Cache cache = open({.write = WriteMode::through});  // a put that waits may be lost to one of another key
  make_due(cache, 300);
  const auto gate = std::make_shared<Gate>();
  for (int i = 0; i < 300; ++i) EXPECT_EQ(*cache.get_or_compute(Key{"k", i}, gated(gate, 2), k_options), 1);
  EXPECT_GT(cache.stats()[Counter::refresh_dropped], 0U);
  gate->open.set_value();
  for (int i = 0; i < 300; ++i) {
    wait_until([&] { return *cache.get_or_compute(Key{"k", i}, gated(gate, 2), k_options) == 2; });
  }
}

TEST_F(RefreshTest, AClosedCacheHasWaitedForWhatRanAndOwnsNoFunctionAnyMore) {
  const auto gate = std::make_shared<Gate>();
  const auto waited = std::make_shared<Gate>();
  waited->open.set_value();
  std::optional<Cache> cache = open();
  make_due(*cache, 2);
  EXPECT_EQ(*cache->get_or_compute(Key{"k", 0}, gated(gate, 2), k_options), 1);
  wait_until([&] { return gate->begun == 1; });
  EXPECT_EQ(*cache->get_or_compute(Key{"k", 1}, gated(waited, 2), k_options), 1);
  std::thread closing([&] { cache.reset(); });
  std::this_thread::sleep_for(20ms);  // mostly it has begun to close by then, and gives up what waits
  gate->open.set_value();
  closing.join();
  EXPECT_EQ(waited.use_count(), 1);
  Cache again = open();
  EXPECT_TRUE(has(again, 0, 2));
  const auto compute = [] { return 3; };
  EXPECT_EQ(*again.get_or_compute(Key{"k", 1}, compute, k_options), waited->begun == 1 ? 2 : 3) << "its lease is free";
}

TEST_F(RefreshTest, AFunctionMayOwnTheLastHandleOfItsCache) {
  auto lives = std::make_shared<int>();
  const std::weak_ptr<int> core = lives;
  std::optional<Cache> cache = open({.on_event = [lives](const Event&) {}});
  lives.reset();
  make_due(*cache);
  const auto gate = std::make_shared<Gate>();
  auto compute = detached([owned = *cache, gate]() mutable {
    gate->is_open.wait();
    return *owned.get_or_compute("part of it", [] { return 2; });
  });
  EXPECT_EQ(*cache->get_or_compute(Key{"k", 0}, std::move(compute), k_options), 1);
  cache.reset();
  gate->open.set_value();
  wait_until([&] { return core.expired(); });
  Cache again = open();
  EXPECT_TRUE(has(again, 0, 2));
}

TEST_F(RefreshTest, AForkedChildComputesForItself) {
  if (test::k_thread_sanitizer) GTEST_SKIP() << test::k_no_threads_in_child;
  Cache cache = open();
  make_due(cache, 2);
  const auto gate = std::make_shared<Gate>();
  EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, gated(gate, 2), k_options), 1);
  wait_until([&] { return gate->begun == 1; });
  const pid_t child = ::fork();
  if (child == 0) {
    const auto compute = detached([] { return 3; });
    const bool older = *cache.get_or_compute(Key{"k", 1}, compute, k_options) == 1;
    wait_until([&] { return has(cache, 1, 3); });
    ::_exit(older && *cache.get_or_compute(Key{"k", 0}, compute, k_options) == 1 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(has(cache, 1, 3));
  gate->open.set_value();
  wait_until([&] { return has(cache, 0, 2); });
}

TEST_F(RefreshTest, WhatWasRemovedMeanwhileIsNotBroughtBack) {
  Cache cache = open();
  make_due(cache);
  const auto gate = std::make_shared<Gate>();
  EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, gated(gate, 2), k_options), 1);
  wait_until([&] { return gate->begun == 1; });
  cache.remove(Key{"k", 0});
  gate->open.set_value();
  wait_until([&] { return cache.stats()[Counter::computation] == 1; });
  cache.flush();
  EXPECT_FALSE(cache.get<int>(Key{"k", 0}));
}

}  // namespace
}  // namespace larder
