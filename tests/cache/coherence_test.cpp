// Two caches on one store behave like two processes: what one has put, removed or cleared, the other does
// not answer with any more, wherever it keeps it; and what is overtaken while it is computed is not kept.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include <larder/larder.hpp>

#include "support/asleep.hpp"
#include "support/temporary_directory.hpp"

namespace larder {

// A value whose codec throws when it is told to.
struct Fragile {
  int number = 0;
  bool sound = true;
};
template <>
struct Codec<Fragile> {
  static std::string type_name() { return "Fragile"; }
  static void encode(const Fragile& value, Encoder& out) {
    if (!value.sound) throw std::runtime_error("cannot be encoded");
    out.number(value.number);
  }
  static Fragile decode(Decoder& in) { return {in.number<int>(), true}; }
};

namespace {

using namespace std::chrono_literals;

class Coherence : public ::testing::Test {
 protected:
  Cache open(WriteMode write = WriteMode::back) {
    return Cache::open({.directory = directory_.path(), .store = Size("64MiB"), .write = write}).value();
  }

 private:
  test::TemporaryDirectory directory_;
};

TEST_F(Coherence, AValueThatOnlyMemoryOrTheQueueHasIsOutOfDateOnceAnotherCachePuts) {
  Cache a = open();
  Cache b = open();
  for (int i = 0; i < 500; ++i) {
    const Key key{"k", i};
    b.put(key, 1);  // in b's memory and queue, perhaps not yet in the store
    a.put(key, 2);
    const auto seen = b.get<int>(key);
    EXPECT_TRUE(!seen || **seen == 2) << i;
  }
  a.flush();
  b.flush();
  Cache c = open();
  for (int i = 0; i < 500; ++i) {
    const Key key{"k", i};
    for (Cache* cache : {&a, &b, &c}) {
      const auto seen = cache->get<int>(key);
      EXPECT_TRUE(!seen || **seen == 2) << i << ": an overtaken value was written after all";
    }
    EXPECT_TRUE(a.get<int>(key)) << i;
  }
}

TEST_F(Coherence, ManySequentialOperationsOfTwoCachesNeverShowAnOldValue) {
  Cache caches[] = {open(), open()};
  std::uint64_t random = 88172645463325252ULL;
  int current[8] = {};  // 0: removed
  for (int i = 1; i < 8000; ++i) {
    random ^= random << 13U;
    random ^= random >> 7U;
    random ^= random << 17U;
    const auto k = static_cast<int>(random % 8);
    Cache& cache = caches[(random >> 8U) % 2];
    switch ((random >> 16U) % 6) {
      case 0:
        cache.put(Key{"k", k}, i);
        current[k] = i;
        break;
      case 1:
        cache.remove(Key{"k", k});
        current[k] = 0;
        break;
      case 2:
        if (i % 50 == 0) cache.flush();
        break;
      default:
        if (const auto seen = cache.get<int>(Key{"k", k})) {
          ASSERT_EQ(**seen, current[k]) << "operation " << i;
        }
    }
  }
}

TEST_F(Coherence, WhatIsRemovedOrOverwrittenWhileItIsComputedIsReturnedButNotKept) {
  for (const bool with_store : {true, false}) {
    SCOPED_TRACE(with_store);
    Cache cache = with_store ? open() : Cache::open({.store = Size(0)}).value();
    const auto compute_during = [&](const char* key, auto meanwhile) {
      return *cache.get_or_compute(Key{key}, [&] {
        meanwhile();
        return 1;
      });
    };
    EXPECT_EQ(compute_during("removed", [&] { cache.remove(Key{"removed"}); }), 1);
    EXPECT_FALSE(cache.get<int>(Key{"removed"}));
    EXPECT_EQ(compute_during("cleared", [&] { cache.clear(); }), 1);
    EXPECT_FALSE(cache.get<int>(Key{"cleared"}));
    EXPECT_EQ(compute_during("put", [&] { cache.put(Key{"put"}, 2); }), 1);
    EXPECT_EQ(**cache.get<int>(Key{"put"}), 2);
    // Who comes after the removal does not join the computation from before it.
    EXPECT_EQ(compute_during("later",
                             [&] {
                               cache.remove(Key{"later"});
                               std::thread([&] {
                                 EXPECT_EQ(*cache.get_or_compute(Key{"later"}, [] { return 3; }), 3);
                               }).join();
                             }),
              1);
    EXPECT_EQ(**cache.get<int>(Key{"later"}), 3);
  }
}

TEST_F(Coherence, APutWhoseCodecThrowsLeavesNothingRatherThanTheOldValue) {
  for (const WriteMode write : {WriteMode::back, WriteMode::through}) {
    Cache cache = open(write);
    cache.put(Key{"f"}, Fragile{1});
    cache.flush();
    EXPECT_EQ(cache.put(Key{"f"}, Fragile{2, false}).in_store, PutOutcome::Store::refused);
    EXPECT_FALSE(cache.get<Fragile>(Key{"f"}));
    EXPECT_GE(cache.stats()[Counter::fault_codec], 1U);
  }
  Cache cache = open();
  EXPECT_EQ(cache.get_or_compute(Key{"g"}, [] { return Fragile{3, false}; })->number, 3) << "computed is returned";
}

TEST_F(Coherence, AComputationInOneCacheThatAsksAnotherCacheOfTheStoreForItsKeyIsTold) {
  Cache a = open();
  Cache b = open();
  try {
    (void)a.get_or_compute(Key{"k"}, [&] { return *b.get_or_compute(Key{"k"}, [] { return 1; }); });
    FAIL() << "no cycle was reported";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::cycle);
  }
  EXPECT_EQ(*a.get_or_compute(Key{"k"}, [] { return 2; }), 2);
}

TEST_F(Coherence, OneCallersBadOptionsAreNotTheOthersTrouble) {
  Cache cache = open();
  Claim<int> claim = cache.claim<int>(Key{"k"});
  std::thread waiter =
      test::start_and_let_sleep([&] { EXPECT_EQ(*cache.get_or_compute(Key{"k"}, [] { return 2; }), 1); });
  EXPECT_THROW((void)claim.fulfil(1, {.ttl = "10 quarters"}), Error);
  waiter.join();
}

TEST_F(Coherence, AMemoizedFunctionMayBeConst) {
  Cache cache = open();
  const auto twice = cache.memoize("twice", [](int n) { return 2 * n; });
  EXPECT_EQ(*twice(4), 8);
  EXPECT_TRUE(twice.remove(4));
}

}  // namespace
}  // namespace larder
