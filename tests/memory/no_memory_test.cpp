// Every allocation of a put is refused in turn: the entry does not come in, and nothing else changes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "memory/entries.hpp"

namespace {
int allocations_granted = -1;  // refused from then on; negative: all are granted
}

void* operator new(std::size_t bytes) {
  if (allocations_granted == 0) throw std::bad_alloc();
  if (allocations_granted > 0) --allocations_granted;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace larder::memory {
namespace {

// Puts with 0, 1, 2 … allocations granted, until that is enough; looks at the tier in between.
int put_with_little_memory(MemoryTier& tier, const Key& key, std::uint64_t weight) {
  static std::uint64_t attempt = 0;
  for (int granted = 0;; ++granted) {
    Entry entry = test::number(++attempt, weight);
    bool put = false;
    allocations_granted = granted;
    try {
      put = tier.put(key, std::move(entry));
    } catch (const std::bad_alloc&) {
    }
    allocations_granted = -1;
    tier.check();
    if (put) return granted;
    EXPECT_NE(test::get_number(tier, key), attempt);
  }
}

TEST(MemoryTierWithoutMemory, GivesBackWhatItReservedForAnEntryThatDidNotComeIn) {
  MemoryTier tier({.bytes = 1 << 20});
  int refused = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) refused += put_with_little_memory(tier, test::key_of(i), 100);
  EXPECT_GT(refused, 100) << "tables, blocks and lists grew";
  for (std::uint64_t i = 0; i < 2000; ++i) {
    put_with_little_memory(tier, test::key_of(i), i % 3 == 0 ? 50 : i % 3 == 1 ? 100 : 300);
  }
  tier.clear();
  EXPECT_EQ(tier.usage().bytes, 0u);
  EXPECT_EQ(tier.usage().entries, 0u);
}

}  // namespace
}  // namespace larder::memory
