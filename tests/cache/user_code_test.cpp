// Code of the user that larder calls, on whatever thread: it may use the cache again, and hold its last handle.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <larder/larder.hpp>

#include "support/temporary_directory.hpp"

namespace larder {

// Its codec and its destructor do as they are told.
struct Told {
  struct Orders {
    std::function<void()> when_encoded = {};
    std::function<void()> when_destroyed = {};
  };
  int number = 0;
  std::shared_ptr<const Orders> orders;

  Told(int of, Orders told) : number(of), orders(std::make_shared<const Orders>(std::move(told))) {}
  explicit Told(int of) : number(of) {}
  Told(Told&&) = default;
  Told& operator=(Told&&) = default;
  ~Told() {
    if (orders && orders->when_destroyed) orders->when_destroyed();
  }
};
template <>
struct Codec<Told> {
  static std::string type_name() { return "Told"; }
  static void encode(const Told& value, Encoder& out) {
    if (value.orders && value.orders->when_encoded) value.orders->when_encoded();
    out.number(value.number);
  }
  static Told decode(Decoder& in) { return Told(in.number<int>()); }
  static std::size_t weight(const Told&) { return sizeof(Told); }
};

namespace {

Cache open(const test::TemporaryDirectory& directory) {
  return Cache::open({.directory = directory.path(), .store = Size("64MiB"), .memory = 0}).value();
}

std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

TEST(UserCode, ACodecMayUseTheCacheAndFlushIt) {
  const test::TemporaryDirectory directory;
  Cache cache = open(directory);
  std::atomic<int> encoded = 0;
  cache.put(Key{"told"}, Told(1, {.when_encoded = [&cache, &encoded] {
                                cache.put(Key{"inner"}, 2);
                                cache.flush();
                                ++encoded;
                              }}));
  cache.flush();
  EXPECT_EQ(encoded, 1);
  EXPECT_EQ((*cache.get<Told>(Key{"told"}))->number, 1);
  cache.flush();
  EXPECT_EQ(**cache.get<int>(Key{"inner"}), 2);
}

TEST(UserCode, TheLastHandleMayGoWithAValueThatTheWritingThreadDestroys) {
  const test::TemporaryDirectory directory;
  std::thread([] {}).join();  // with which a sanitizer starts one of its own
  const std::ptrdiff_t threads_before = threads();
  std::atomic<bool> gone = false;
  std::atomic<bool> dropped = false;
  {
    auto last = std::make_shared<std::optional<Cache>>(open(directory));
    Cache cache = **last;
    cache.put(Key{"told"}, Told(1, {.when_encoded = [&dropped] { dropped.wait(false); },
                                    .when_destroyed =
                                        [last, &gone] {
                                          last->reset();
                                          gone = true;
                                          gone.notify_all();
                                        }}));
  }
  dropped = true;
  dropped.notify_all();
  gone.wait(false);
  while (threads() > threads_before) std::this_thread::yield();  // the cache is closed
  Cache cache = open(directory);
  EXPECT_EQ((*cache.get<Told>(Key{"told"}))->number, 1);
}

TEST(UserCode, WhatWaitsToBeWrittenIsListed) {
  const test::TemporaryDirectory directory;
  Cache cache = open(directory);
  std::atomic<bool> go = false;
  cache.put(Key{"slow"}, Told(1, {.when_encoded = [&go] { go.wait(false); }}));
  for (int i = 0; i < 3; ++i) cache.put(Key{"waits", i}, i);
  EXPECT_EQ(cache.entries().size(), 4U);
  go = true;
  go.notify_all();
  cache.flush();
  EXPECT_EQ(cache.entries().size(), 4U);
}

// Destroyed when main has ended, after everything that was made later.
struct AtExit {
  std::optional<Cache> cache;
  ~AtExit() {
    if (!cache) return;
    cache->put(Key{"late"}, std::string("value"));
    const std::optional<Ref<std::string>> found = cache->get<std::string>(Key{"late"});
    if (!found || **found != "value") std::_Exit(1);
  }
};

TEST(UserCode, AnObjectThatIsDestroyedAtTheProgramsEndMayUseTheCache) {
  const auto in_child = [] {
    static AtExit at_exit;  // before the type's name is made
    at_exit.cache = Cache::open({.store = 0}).value();
    at_exit.cache->put(Key{"early"}, std::string("value"));
    std::exit(0);
  };
  EXPECT_EXIT(in_child(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace larder
