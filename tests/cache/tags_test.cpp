// Tags, through the API: what one of them stands for has changed, and no tier, queue, waiter or process answers with
// what was made from it before.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <larder/larder.hpp>

#include "support/asleep.hpp"
#include "support/temporary_directory.hpp"

namespace larder {
namespace {

class Tags : public ::testing::Test {
 protected:
  Cache open() { return Cache::open({.directory = directory_.path(), .store = Size("64MiB")}).value(); }
  static Cache memory_only() { return Cache::open({.store = 0}).value(); }

 private:
  test::TemporaryDirectory directory_;
};

EntryOptions tagged(std::vector<std::string> tags) {
  EntryOptions options;
  options.tags = std::move(tags);
  return options;
}

void put_some(Cache& cache) {
  cache.put(Key{"x"}, 1, tagged({"x"}));
  cache.put(Key{"xy"}, 2, tagged({"x", "y"}));
  cache.put(Key{"y"}, 3, tagged({"y"}));
  cache.put(Key{"none"}, 4);
}

void expect_without_x(Cache& cache) {
  for (const char* name : {"x", "xy"}) {
    EXPECT_FALSE(cache.contains(Key{name})) << name;
    EXPECT_FALSE(cache.entry(Key{name})) << name;
    EXPECT_FALSE(cache.get<int>(Key{name})) << name;
  }
  EXPECT_EQ(**cache.get<int>(Key{"y"}), 3);
  EXPECT_EQ(**cache.get<int>(Key{"none"}), 4);
  EXPECT_EQ(cache.entries().size(), 2u);
}

TEST_F(Tags, AreInvalidatedInMemoryInTheQueueAndInTheStoreOfEveryProcess) {
  Cache a = open();
  put_some(a);
  a.flush();
  Cache b = open();
  for (const char* name : {"x", "xy", "y", "none"}) EXPECT_TRUE(b.get<int>(Key{name})) << name;  // in its memory now
  a.invalidate("x");
  expect_without_x(b);
  expect_without_x(a);
  Cache c = open();
  expect_without_x(c);
  EXPECT_EQ(b.stats()[Counter::miss_invalidated], 2u);
  EXPECT_EQ(a.stats()[Counter::invalidated], 1u);
}

TEST_F(Tags, AreInvalidatedWhileTheirValuesWaitToBeWritten) {
  Cache cache = open();
  for (int i = 0; i < 200; ++i) {
    cache.put(Key{"k", i}, i, tagged({"t"}));
    cache.invalidate("t");
    EXPECT_FALSE(cache.get<int>(Key{"k", i})) << i;
  }
  cache.flush();
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(cache.get<int>(Key{"k", i})) << i;
}

TEST_F(Tags, WorkWithoutAStore) {
  Cache cache = memory_only();
  put_some(cache);
  cache.invalidate("x");
  expect_without_x(cache);
  EXPECT_EQ(cache.stats().memory_entries, 2u) << "what is found out of date leaves";
}

TEST_F(Tags, AValuePutAfterwardsIsCurrent) {
  for (Cache cache : {open(), memory_only()}) {
    cache.put(Key{"k"}, 1, tagged({"t"}));
    cache.invalidate("t");
    cache.put(Key{"k"}, 2, tagged({"t"}));
    EXPECT_EQ(**cache.get<int>(Key{"k"}), 2);
    cache.flush();
    EXPECT_EQ(**cache.get<int>(Key{"k"}), 2);
  }
}

TEST_F(Tags, WhatIsComputedMeanwhileIsReturnedAndNotKept) {
  for (Cache cache : {open(), memory_only()}) {
    int computed = 0;
    const auto compute = [&] {
      if (++computed == 1) cache.invalidate("t");
      return computed;
    };
    EXPECT_EQ(*cache.get_or_compute(Key{"k"}, compute, tagged({"t"})), 1);
    EXPECT_EQ(*cache.get_or_compute(Key{"k"}, compute, tagged({"t"})), 2);
    cache.flush();
    EXPECT_EQ(*cache.get_or_compute(Key{"k"}, compute, tagged({"t"})), 2);
  }
}

TEST_F(Tags, OfAClaimCountFromTheClaim) {
  Cache cache = open();
  Claim<int> claim = cache.claim<int>(Key{"k"});
  cache.invalidate("t");
  EXPECT_EQ(*claim.fulfil(1, tagged({"t"})), 1);
  EXPECT_FALSE(cache.get<int>(Key{"k"}));
  Claim<int> other = cache.claim<int>(Key{"k"});
  cache.invalidate("u");
  EXPECT_EQ(*other.fulfil(2, tagged({"t"})), 2);
  EXPECT_EQ(**cache.get<int>(Key{"k"}), 2);
}

TEST_F(Tags, WhoAsksAfterwardsDoesNotGetWhatWasBegunBefore) {
  Cache cache = open();
  Cache elsewhere = open();  // another process, as far as the store can tell
  std::atomic<int> computed = 0;
  std::atomic<bool> go = false;
  const auto ask = [&](Cache& of) {
    return *of.get_or_compute(
        Key{"k"},
        [&] {
          const int number = ++computed;
          go.wait(false);
          return number;
        },
        tagged({"t"}));
  };
  std::atomic<int> before = 0;
  std::atomic<int> after = 0;
  std::atomic<int> there = 0;
  std::thread leader = test::start_and_let_sleep([&] { EXPECT_EQ(ask(cache), 1); });
  std::thread early = test::start_and_let_sleep([&] { before = ask(cache); });
  cache.invalidate("t");
  std::thread late = test::start_and_let_sleep([&] { after = ask(cache); });
  std::thread foreign = test::start_and_let_sleep([&] { there = ask(elsewhere); });
  go = true;
  go.notify_all();
  for (std::thread* thread : {&leader, &early, &late, &foreign}) thread->join();
  EXPECT_EQ(before, 1);
  EXPECT_EQ(after, 2);
  EXPECT_EQ(there, 2);
  EXPECT_EQ(computed, 2);
}

TEST_F(Tags, ThatCannotBeAreRefusedBeforeAnythingIsComputed) {
  Cache cache = memory_only();
  const auto never = []() -> int { throw std::logic_error("computed"); };
  const auto message = [&](std::vector<std::string> tags) -> std::string {
    try {
      cache.get_or_compute(Key{"k"}, never, tagged(std::move(tags)));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::invalid_option);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({"good", ""}), "a tag is empty");
  EXPECT_EQ(message(std::vector<std::string>(256, "t")), "an entry cannot have 256 tags");
  EXPECT_THROW(cache.put(Key{"k"}, 1, tagged({""})), Error);
  EXPECT_FALSE(cache.contains(Key{"k"}));
}

TEST_F(Tags, OfMemoizedFunctionsAreThoseOfTheirOptions) {
  Cache cache = open();
  int calls = 0;
  auto twice = cache.memoize("twice", [&](int x) { return ++calls, 2 * x; }, {.entry = tagged({"t"})});
  EXPECT_EQ(*twice(4), 8);
  EXPECT_EQ(*twice(4), 8);
  EXPECT_EQ(calls, 1);
  cache.invalidate("t");
  EXPECT_EQ(*twice(4), 8);
  EXPECT_EQ(calls, 2);
}

TEST_F(Tags, ManyEntriesAreInvalidatedInOneStep) {
  Cache cache = open();
  for (int i = 0; i < 5'000; ++i) cache.put(Key{"k", i}, i, tagged({"all", std::to_string(i)}));
  cache.flush();
  cache.invalidate("17");
  EXPECT_FALSE(cache.get<int>(Key{"k", 17}));
  EXPECT_TRUE(cache.get<int>(Key{"k", 18}));
  cache.invalidate("all");
  EXPECT_EQ(cache.entries().size(), 0u);
}

}  // namespace
}  // namespace larder
