// Threads of two processes on one small store that reclaims all the time: what is found is whole and of its key,
// views stay whole while others evict, and the limit holds.
#include <random>
#include <thread>

#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

std::string value_of(std::int64_t number, std::uint64_t size) {
  std::string value = "value of " + std::to_string(number) + " ";
  while (value.size() < size) value += value;
  return value;
}

TEST(StoreThreads, WhateverTheyDoAtOnceAValueIsWholeAndOfItsKey) {
  const Directory directory;
  constexpr std::uint64_t k_limit = 8 * k_mib;
  std::array<std::unique_ptr<Process>, 2> processes;
  for (auto& process : processes) process = std::make_unique<Process>(directory, k_limit);
  std::atomic<int> wrong{0};
  std::atomic<int> found{0};
  const auto work = [&](Process& process, unsigned seed) {
    std::mt19937 random(seed);
    Lookup kept;
    std::int64_t kept_number = 0;
    for (int i = 0; i < 400; ++i) {
      const auto number = static_cast<std::int64_t>(random() % 40);
      const Key key{"k", number};
      const std::string expected = value_of(number, 1000U << (number % 10));
      switch (random() % 8) {
        case 0:
        case 1:
        case 2: {
          const Bytes bytes = std::as_bytes(std::span(expected));
          process.store->put(key, {}, std::span(&bytes, 1), process.store->stamp(key));
          break;
        }
        case 3:
          process.store->remove(key);
          break;
        case 4:
          process.store->maintain();
          break;
        default: {
          if (kept.found && Process::text(kept.found->value) != value_of(kept_number, 1000U << (kept_number % 10)))
            ++wrong;
          kept = process.store->get(key);
          kept_number = number;
          if (!kept.found) break;
          ++found;
          if (Process::text(kept.found->value) != expected) ++wrong;
        }
      }
      if (process.store->usage().bytes > k_limit) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) threads.emplace_back([&, i] { work(*processes[i % 2], i); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(found.load(), 50);
  EXPECT_EQ(processes[0]->counted(Counter::fault_damaged_record), 0u);
  for (auto& process : processes) process->store->check();
  EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
  EXPECT_TRUE(verify(directory.path()).value().damaged.empty());
}

}  // namespace
}  // namespace larder::store
