// Operations that meet in the middle: while one of them stands between two of its steps, another one on the same key
// begins and ends. Named points of the store, and codecs, are where the first one is made to stand.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <larder/larder.hpp>

#include "os/os.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_directory.hpp"

namespace larder {

// A value whose first weighing waits: so a computation stands between its end and its landing.
struct Heavy {
  int number = 0;
};
namespace {
std::function<void()> g_while_weighing;
}  // namespace
template <>
struct Codec<Heavy> {
  static std::string type_name() { return "Heavy"; }
  static void encode(const Heavy& value, Encoder& out) { out.number(value.number); }
  static Heavy decode(Decoder& in) { return {in.number<int>()}; }
  static std::size_t weight(const Heavy&) {
    if (const auto now = std::exchange(g_while_weighing, nullptr)) now();
    return sizeof(Heavy);
  }
};

namespace {

// Calls a function when a thread first reaches a named point.
class When : public os::Hooks {
 public:
  When(std::string_view point, std::function<void()> then) : point_(point), then_(std::move(then)) {
    os::install(this);
  }
  ~When() override { os::install(nullptr); }
  int before(os::Call /*call*/, const std::string& /*path*/) override { return 0; }
  void reached(const char* point) override {
    if (point == point_ && !reached_.exchange(true)) then_();
  }

 private:
  const std::string_view point_;
  const std::function<void()> then_;
  std::atomic<bool> reached_ = false;
};

class Race : public ::testing::Test {
 protected:
  Cache open(WriteMode write) {
    return Cache::open({.directory = directory_.path(), .store = Size("64MiB"), .write = write}).value();
  }
  [[nodiscard]] std::filesystem::path directory() const { return directory_.path(); }

 private:
  test::TemporaryDirectory directory_;
};

TEST_F(Race, AValueThatIsBeingWrittenWhenItsKeyIsPutDoesNotShowAfterwards) {
  for (const char* point :
       {"store.append.before_write", "store.append.written", "store.append.committed", "store.publish.pending",
        "store.publish.stamped", "store.publish.visible", "store.publish.stamped_again", "store.append.published"}) {
    Cache a = open(WriteMode::back);
    Cache b = open(WriteMode::back);
    const Key key{"k", point};
    std::promise<void> arrived;
    std::promise<void> go_on;
    const When writing(point, [&] {
      arrived.set_value();
      go_on.get_future().wait();
    });
    b.put(key, 1);
    arrived.get_future().wait();
    a.put(key, 2, {.ttl = "0"});  // kept nowhere, so that no newer record hides the older one
    go_on.set_value();
    b.flush();
    EXPECT_FALSE(b.get<int>(key)) << point;
  }
}

TEST_F(Race, WhatIsReadDuringARemovalIsNotAnsweredAfterItThoughTheRecordIsReclaimedMeanwhile) {
  Cache a = open(WriteMode::through);
  Cache b = open(WriteMode::through);
  const Key key{"k"};
  a.put(key, 1);
  bool read = false;
  const When removing("store.remove.stamped", [&] {
    read = b.get<int>(key).has_value();
    const std::string filling(200'000, 'x');
    for (int i = 0; i < 600; ++i) b.put(Key{"filling", i}, filling);
  });
  a.remove(key);
  EXPECT_TRUE(read);
  EXPECT_FALSE(b.get<int>(key));
}

TEST_F(Race, AWrittenPutThatAnotherOneSupersedesLeavesTheOthersValue) {
  Cache a = open(WriteMode::through);
  Cache b = open(WriteMode::through);
  const Key key{"k"};
  const When writing("store.append.before_write", [&] { b.put(key, 2); });
  EXPECT_EQ(a.put(key, 1).in_store, PutOutcome::Store::superseded);
  for (Cache* cache : {&a, &b}) {
    const auto seen = cache->get<int>(key);
    ASSERT_TRUE(seen);
    EXPECT_EQ(**seen, 2);
  }
}

TEST_F(Race, AnOverwrittenValueIsNotAnsweredThoughThePutWasSupersededByOneThatIsNotDone) {
  Cache a = open(WriteMode::through);
  Cache b = open(WriteMode::through);
  const Key key{"k"};
  a.put(key, 1);
  std::promise<void> arrived;
  std::promise<void> go_on;
  std::optional<When> writing_other;
  std::thread other;
  const When writing("store.append.before_write", [&] {
    writing_other.emplace("store.append.before_write", [&] {
      arrived.set_value();
      go_on.get_future().wait();
    });
    other = std::thread([&] { b.put(key, 3); });
    arrived.get_future().wait();
  });
  EXPECT_EQ(a.put(key, 2).in_store, PutOutcome::Store::superseded);
  for (Cache* cache : {&a, &b}) {
    const auto seen = cache->get<int>(key);
    EXPECT_TRUE(!seen || **seen != 1);
  }
  go_on.set_value();
  other.join();
}

TEST_F(Race, AValueThatIsBeingWrittenIsNotSeenHereWhileTheOldOneIsSeenThere) {
  Cache a = open(WriteMode::through);
  Cache b = open(WriteMode::through);
  const Key key{"k"};
  a.put(key, 1);
  bool here = false;
  bool there = false;
  const When writing("store.append.before_write", [&] {
    const auto first = a.get<int>(key);
    const auto then = b.get<int>(key);
    here = first && **first == 2;
    there = then && **then == 1;
  });
  a.put(key, 2);
  EXPECT_FALSE(here && there);
}

TEST_F(Race, OfTwoValuesThatWerePutAtOnceAllSeeTheSameOne) {
  Cache a = open(WriteMode::back);
  Cache b = open(WriteMode::back);
  const Key key{"k"};
  std::promise<void> go_on;
  std::optional<When> writing;
  const When removing("store.remove.done", [&] {
    b.put(key, 2);
    b.flush();
    writing.emplace("store.append.before_write", [&] { go_on.get_future().wait(); });
  });
  a.put(key, 1);  // waits to be written
  const auto here = a.get<int>(key);
  const auto there = b.get<int>(key);
  EXPECT_TRUE(!here || !there || **here == **there) << **here << " here, " << **there << " there";
  go_on.set_value();
  a.flush();
}

// While one put is between the two halves of its stamp, another one begins and ends; neither is written meanwhile.
class Crossing : public os::Hooks {
 public:
  explicit Crossing(std::function<void()> other_put) : other_put_(std::move(other_put)) { os::install(this); }
  ~Crossing() override { os::install(nullptr); }
  int before(os::Call /*call*/, const std::string& /*path*/) override { return 0; }
  void reached(const char* point) override {
    if (point == std::string_view("store.append.before_write")) written_.wait();
    if (point == std::string_view("store.bump.half") && !crossed_.exchange(true)) other_put_();
  }
  void let_them_be_written() { go_on_.set_value(); }

 private:
  const std::function<void()> other_put_;
  std::atomic<bool> crossed_ = false;
  std::promise<void> go_on_;
  std::shared_future<void> written_{go_on_.get_future()};
};

TEST_F(Race, OfTwoPutsWhoseStampsCrossAllSeeTheSameValue) {
  Cache a = open(WriteMode::back);
  Cache b = open(WriteMode::back);
  const Key key{"k"};
  Crossing crossing([&] { b.put(key, 2); });
  a.put(key, 1);
  const auto here = a.get<int>(key);
  const auto there = b.get<int>(key);
  EXPECT_TRUE(!here || !there || **here == **there) << **here << " here, " << **there << " there";
  crossing.let_them_be_written();
  a.flush();
  b.flush();
}

TEST_F(Race, AComputationThatLandsReplacesNothingThatWasPutMeanwhile) {
  for (const bool with_store : {false, true}) {
    SCOPED_TRACE(with_store);
    Cache cache = with_store ? open(WriteMode::back) : Cache::open({.store = Size(0)}).value();
    const Key key{"k", with_store};
    g_while_weighing = [&] { std::thread([&] { cache.put(key, Heavy{2}); }).join(); };
    EXPECT_EQ(cache.get_or_compute(key, [] { return Heavy{1}; })->number, 1);
    const auto seen = cache.get<Heavy>(key);
    ASSERT_TRUE(seen);
    EXPECT_EQ((*seen)->number, 2);
  }
}

TEST_F(Race, AStoreThatIsClearedDuringAComputationDoesNotKeepItsResult) {
  Cache a = open(WriteMode::through);
  Cache b = open(WriteMode::through);
  const Key key{"k"};
  const auto compute = [&] {
    b.clear();
    return 1;
  };
  EXPECT_EQ(*a.get_or_compute(key, compute), 1);
  EXPECT_FALSE(a.get<int>(key));
  EXPECT_FALSE(b.get<int>(key));
}

TEST_F(Race, AChildForkedWhileThreadsWaitForComputationsDoesNotInheritTheirLocks) {
  if (test::k_address_sanitizer || test::k_thread_sanitizer) {
    GTEST_SKIP() << "the sanitizers' allocators do not survive a fork of several threads";
  }
  Cache cache = open(WriteMode::back);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&](const std::stop_token& stop) {
      const auto inner = [] { return 1; };
      const auto outer = [&] { return *cache.get_or_compute(Key{"inner"}, inner, {.ttl = "1ms"}); };
      for (int i = 0; !stop.stop_requested(); ++i)
        EXPECT_EQ(*cache.get_or_compute(Key{"outer", i}, outer, {.ttl = "1ms"}), 1);
    });
  }
  for (int i = 0; i < 100; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);  // ends a child that hangs
      std::vector<std::jthread> asking;
      for (int t = 0; t < 3; ++t)
        asking.emplace_back([&] { (void)cache.get_or_compute(Key{"child", i}, [] { return 1; }); });
      asking.clear();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
}

TEST_F(Race, ARemovalReachesThoseWhoHaveTheSameDeletedStoreOpen) {
  Cache a = open(WriteMode::through);
  Cache b = open(WriteMode::through);
  const Key key{"k"};
  a.put(key, 1);
  EXPECT_TRUE(b.get<int>(key));
  std::filesystem::remove_all(directory());
  a.remove(key);
  EXPECT_FALSE(b.get<int>(key));
}

}  // namespace
}  // namespace larder
