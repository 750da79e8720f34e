#include "observe/counters.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace larder::observe {
namespace {

using SharedTable = std::array<std::atomic<std::uint64_t>, k_counters>;

constexpr int k_threads = 80;  // more than there are stripes
constexpr std::uint64_t k_rounds = 2000;

std::uint64_t total(const Counters& counters, Counter counter) {
  return counters.totals()[static_cast<std::size_t>(counter)];
}

std::uint64_t read(const SharedTable& table, Counter counter) {
  return table[static_cast<std::size_t>(counter)].load();
}

// Runs `work(thread number)` in k_threads threads at once and waits for all of them.
template <class Work>
void in_threads(const Work& work) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < k_threads; ++i) threads.emplace_back([&work, i] { work(i); });
}

TEST(Counters, StartAtZero) {
  const Counters counters;
  for (const std::uint64_t count : counters.totals()) EXPECT_EQ(count, 0u);
}

TEST(Counters, AnAddChangesItsOwnCounterOnly) {
  Counters counters;
  counters.add(Counter::saved_ns, 1234);
  counters.add(Counter::not_stored_superseded);
  const auto totals = counters.totals();
  for (std::size_t i = 0; i < k_counters; ++i) {
    const auto counter = static_cast<Counter>(i);
    const std::uint64_t expected = counter == Counter::saved_ns                ? 1234
                                   : counter == Counter::not_stored_superseded ? 1
                                                                               : 0;
    EXPECT_EQ(totals[i], expected) << "counter " << i;
  }
}

TEST(Counters, TotalsAreExactOnceThreadsAreJoined) {
  Counters counters;
  in_threads([&](int thread) {
    for (std::uint64_t i = 0; i < k_rounds; ++i) {
      counters.add(Counter::memory_hit);
      counters.add(Counter::saved_ns, static_cast<std::uint64_t>(thread));
    }
  });
  EXPECT_EQ(total(counters, Counter::memory_hit), k_threads * k_rounds);
  EXPECT_EQ(total(counters, Counter::saved_ns), k_rounds * (k_threads * (k_threads - 1) / 2));
}

TEST(Counters, ShareAddsToWhatOtherProcessesCounted) {
  Counters counters;
  SharedTable table{};
  table[static_cast<std::size_t>(Counter::stored)] = 100;
  counters.add(Counter::stored, 7);
  counters.share(table);
  counters.share(table);
  EXPECT_EQ(read(table, Counter::stored), 107u);
  EXPECT_EQ(total(counters, Counter::stored), 7u);
  counters.add(Counter::stored);
  counters.share(table);
  EXPECT_EQ(read(table, Counter::stored), 108u);
}

TEST(Counters, ShareAddsEveryCountExactlyOnceWhileThreadsCountAndShare) {
  Counters counters;
  SharedTable table{};
  in_threads([&](int thread) {
    for (std::uint64_t i = 0; i < k_rounds; ++i) {
      counters.add(Counter::memory_hit);
      if ((i + static_cast<std::uint64_t>(thread)) % 16 == 0) counters.share(table);
    }
  });
  EXPECT_LE(read(table, Counter::memory_hit), k_threads * k_rounds);
  counters.share(table);
  EXPECT_EQ(read(table, Counter::memory_hit), k_threads * k_rounds);
}

TEST(Counters, AShorterTableGetsWhatItHasRoomForAndTheRestIsKept) {
  Counters counters;
  SharedTable table{};
  counters.add(Counter::memory_hit, 3);
  counters.add(Counter::not_stored_superseded, 5);
  counters.share(std::span(table).first(1));
  EXPECT_EQ(read(table, Counter::memory_hit), 3u);
  EXPECT_EQ(read(table, Counter::not_stored_superseded), 0u);
  counters.share({});
  counters.share(table);
  EXPECT_EQ(read(table, Counter::memory_hit), 3u);
  EXPECT_EQ(read(table, Counter::not_stored_superseded), 5u);
}

}  // namespace
}  // namespace larder::observe
