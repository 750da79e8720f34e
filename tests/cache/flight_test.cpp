// Single-flight in one process: who leads, who waits, what waiters receive, and that no wait is endless.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <ctime>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include <larder/larder.hpp>

#include "support/asleep.hpp"

namespace larder {
namespace {

using namespace std::chrono_literals;

Cache memory_cache() {
  return Cache::open({.store = Size(0)}).value();
}

// Starts `count` threads that all call `body(i)` at once, and joins them.
template <class Body>
void at_once(int count, Body body) {
  std::barrier start(count);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
}

TEST(Flight, OfManyCallersOneComputesAndAllGetItsValue) {
  Cache cache = memory_cache();
  std::atomic<int> computations = 0;
  std::atomic<int> right = 0;
  at_once(64, [&](int) {
    const Ref<int> answer = cache.get_or_compute(Key{"one"}, [&] {
      ++computations;
      std::this_thread::sleep_for(20ms);
      return 42;
    });
    if (*answer == 42) ++right;
  });
  EXPECT_EQ(computations, 1);
  EXPECT_EQ(right, 64);
  const Stats stats = cache.stats();
  EXPECT_EQ(stats[Counter::computation], 1U);
  EXPECT_EQ(stats.lookups(), 64U) << "every lookup counts once: hit, miss or coalesced";
}

TEST(Flight, WaitersReceiveTheExceptionOfTheirOwnFlightAndNothingIsStored) {
  Cache cache = memory_cache();
  std::atomic<int> computations = 0;
  std::atomic<int> thrown = 0;
  std::promise<void> leading;
  std::thread leader([&] {
    EXPECT_THROW(cache.get_or_compute(Key{"sick"},
                                      [&]() -> int {
                                        ++computations;
                                        leading.set_value();
                                        std::this_thread::sleep_for(50ms);
                                        throw std::runtime_error("no");
                                      }),
                 std::runtime_error);
  });
  leading.get_future().wait();
  at_once(8, [&](int) {
    try {
      (void)cache.get_or_compute(Key{"sick"}, [&]() -> int {
        ++computations;
        throw std::runtime_error("later");
      });
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  });
  leader.join();
  EXPECT_EQ(thrown, 8);
  EXPECT_FALSE(cache.contains(Key{"sick"}));
  EXPECT_EQ(*cache.get_or_compute(Key{"sick"}, [] { return 7; }), 7) << "a failure is not remembered";
}

TEST(Flight, AnAbandonedClaimIsTakenOverByExactlyOneWaiter) {
  Cache cache = memory_cache();
  auto claim = std::make_unique<Claim<int>>(cache.claim<int>(Key{"k"}));
  ASSERT_FALSE(claim->ready());
  std::atomic<int> computations = 0;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 8; ++i) {
    waiters.emplace_back([&] {
      EXPECT_EQ(*cache.get_or_compute(Key{"k"},
                                      [&] {
                                        ++computations;
                                        std::this_thread::sleep_for(10ms);
                                        return 5;
                                      }),
                5);
    });
  }
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(computations, 0) << "the claim holds them";
  claim.reset();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(computations, 1);
}

TEST(Flight, AClaimCanBeFulfilledOnAnotherThread) {
  Cache cache = memory_cache();
  // Claimed on a thread that is gone when the value comes.
  std::optional<Claim<std::string>> claim;
  std::thread([&] { claim.emplace(cache.claim<std::string>(Key{"streamed"})); }).join();
  ASSERT_FALSE(claim->ready());
  std::thread producer([&] {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "piece ";
    (void)claim->fulfil(std::move(text));
  });
  // Waits for the producer if it is not done: it never computes itself.
  const Ref<std::string> answer = cache.get_or_compute(Key{"streamed"}, [] { return std::string("mine"); });
  producer.join();
  EXPECT_EQ(answer->size(), 6000U);
}

TEST(Flight, AComputationMayAskTheCacheForOtherKeys) {
  Cache cache = memory_cache();
  const std::function<long(int)> fibonacci = [&](int n) -> long {
    return *cache.get_or_compute(Key{"fibonacci", n},
                                 [&]() -> long { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); });
  };
  EXPECT_EQ(fibonacci(80), 23416728348467685L);
  EXPECT_EQ(cache.stats()[Counter::computation], 81U);
}

TEST(Flight, AComputationThatAsksForItsOwnKeyIsTold) {
  Cache cache = memory_cache();
  const std::function<int()> a = [&] { return *cache.get_or_compute(Key{"a"}, [&] { return a(); }); };
  try {
    a();
    FAIL() << "no cycle was reported";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::cycle);
    EXPECT_NE(std::string(error.what()).find("a#"), std::string::npos) << error.what();
  }
  EXPECT_EQ(*cache.get_or_compute(Key{"a"}, [] { return 1; }), 1) << "the key is usable afterwards";
}

TEST(Flight, ACycleAcrossThreadsIsToldToOneAndNobodyHangs) {
  Cache cache = memory_cache();
  std::barrier both(2);
  std::atomic<int> cycles = 0;
  const auto ask = [&](const char* mine, const char* other) {
    try {
      (void)cache.get_or_compute(Key{mine}, [&]() -> int {
        both.arrive_and_wait();  // both lead before either asks for the other
        return *cache.get_or_compute(Key{other}, []() -> int { return 0; }) + 1;
      });
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::cycle);
      ++cycles;
    }
  };
  std::thread one(ask, "x", "y");
  std::thread two(ask, "y", "x");
  one.join();
  two.join();
  EXPECT_GE(cycles, 1);
}

TEST(Flight, WaitingUsesNoProcessorTime) {
  Cache cache = memory_cache();
  Claim<int> claim = cache.claim<int>(Key{"slow"});
  ASSERT_FALSE(claim.ready());
  std::vector<std::thread> waiters;
  std::atomic<std::int64_t> used_ns = 0;
  for (int i = 0; i < 16; ++i) {
    waiters.emplace_back([&] {
      (void)cache.get_or_compute(Key{"slow"}, [] { return 0; });
      timespec used{};
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
      used_ns += used.tv_sec * 1'000'000'000 + used.tv_nsec;
    });
  }
  std::this_thread::sleep_for(500ms);
  (void)claim.fulfil(1);
  for (std::thread& waiter : waiters) waiter.join();
  // 16 threads waited half a second each: 8 s of spinning, or next to nothing of sleeping.
  EXPECT_LT(used_ns, 800'000'000);
}

TEST(Flight, WhoHasJustAnsweredMayAskForWhatTheOnesHeAnsweredAreComputing) {
  Cache cache = memory_cache();
  for (int i = 0; i < 50; ++i) {
    Claim<int> inner = cache.claim<int>(Key{"inner", i});
    std::thread other = test::start_and_let_sleep([&cache, i] {
      EXPECT_EQ(*cache.get_or_compute(Key{"outer", i},
                                      [&] {
                                        return *cache.get_or_compute(Key{"inner", i}, [] { return 0; });
                                      }),
                1);
    });
    (void)inner.fulfil(1);
    // The other one may not have woken yet: it waits for nothing any more all the same.
    EXPECT_EQ(*cache.get_or_compute(Key{"outer", i}, [] { return 1; }), 1);
    other.join();
  }
}

TEST(Flight, AWaiterOfAnotherTypeIsToldSo) {
  Cache cache = memory_cache();
  Claim<int> claim = cache.claim<int>(Key{"typed"});
  std::thread other([&] {
    try {
      (void)cache.get_or_compute(Key{"typed"}, [] { return std::string("text"); });
      ADD_FAILURE() << "an int was returned as a string";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::type_mismatch);
    }
  });
  std::this_thread::sleep_for(20ms);
  (void)claim.fulfil(3);
  other.join();
}

}  // namespace
}  // namespace larder
