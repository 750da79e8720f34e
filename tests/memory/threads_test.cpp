// The tier under many threads. What these show is shown best under the thread sanitizer.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "memory/entries.hpp"

namespace larder::memory {
namespace {

using test::key_of;
using test::mortal;
using test::number;

constexpr unsigned k_threads = 8;

// Runs `work(thread number)` in k_threads threads at once and waits for all of them.
template <class Work>
void in_threads(const Work& work) {
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < k_threads; ++i) threads.emplace_back([&work, i] { work(i); });
}

TEST(MemoryTierThreads, UsageIsWithinTheLimitsAtEveryInstant) {
  constexpr Limits k_limits{.bytes = 200'000, .entries = 300};
  MemoryTier tier(k_limits, policy::make_lru);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> samples{0};
  std::atomic<std::uint64_t> over{0};
  std::jthread sampler([&] {
    do {
      const Usage usage = tier.usage();
      if (usage.bytes > k_limits.bytes || usage.entries > k_limits.entries) ++over;
      ++samples;
    } while (!done);
  });
  in_threads([&](unsigned thread) {
    std::mt19937 random(thread);
    for (int i = 0; i < 4000; ++i) {
      // Mostly light, sometimes almost the whole limit, sometimes more than that.
      const std::uint64_t weight = random() % 64 == 0 ? random() % 220'000 : random() % 3000;
      const bool admitted = tier.put(key_of(random() % 1000), number(1, weight));
      if (admitted != (test::charged(weight) <= k_limits.bytes)) ++over;
    }
  });
  done = true;
  sampler.join();
  EXPECT_EQ(over, 0u);
  EXPECT_GT(samples, 0u);
  EXPECT_GT(tier.usage().evicted, 0u);
  tier.check();
}

// The budget is what the tier believes; this counts the values that are really alive.
TEST(MemoryTierThreads, NoMoreValuesLiveThanTheLimitAdmitsPlusThoseInFlight) {
  constexpr std::uint64_t k_entries = 50;
  MemoryTier tier({.bytes = 1 << 30, .entries = k_entries});
  std::atomic<int> alive{0};
  std::atomic<int> most{0};
  in_threads([&](unsigned thread) {
    std::mt19937 random(thread);
    for (int i = 0; i < 4000; ++i) {
      ++alive;
      tier.put(key_of(random() % 500), mortal([&] { --alive; }));
      int now = alive;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
    }
  });
  // Each thread holds at most one that has not come in yet and one that has just left.
  EXPECT_LE(most, static_cast<int>(k_entries + 2 * k_threads));
  EXPECT_EQ(static_cast<std::uint64_t>(alive), tier.usage().entries);
  tier.clear();
  EXPECT_EQ(alive, 0);
}

TEST(MemoryTierThreads, WhileATierIsResizedOthersPutAndFindWithinTheLimitThatWas) {
  constexpr std::uint64_t k_large = 4'000'000;
  constexpr std::uint64_t k_small = 400'000;
  MemoryTier tier({.bytes = k_large});
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<bool> done{false};
  std::vector<std::jthread> threads;
  for (unsigned thread = 0; thread < k_threads; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937 random(thread);
      while (!done) {
        const std::uint64_t key = random() % 10'000;
        const Lookup found = tier.get(key_of(key), 0, test::never_now);
        if (found.value == nullptr) tier.put(key_of(key), number(key, random() % 1000));
        if (found.value != nullptr && test::number_in(found.value) != key) ++wrong;
        if (tier.usage().bytes > k_large) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    tier.resize(k_small);
    if (tier.usage().bytes > k_small) ++wrong;
    tier.check();
    tier.resize(k_large);
  }
  done = true;
  threads.clear();
  EXPECT_EQ(wrong, 0u);
}

TEST(MemoryTierThreads, AReplacedValueIsNeverMissedWhileTheNewOneFitsInItsPlace) {
  MemoryTier tier({.bytes = 1 << 30});
  tier.put("a", number(0));
  std::atomic<std::uint64_t> missed{0};
  in_threads([&](unsigned thread) {
    for (std::uint64_t i = 0; i < 5000; ++i) {
      if (thread % 2 == 0) tier.put("a", number(i));
      if (!tier.get("a", 0, test::never_now).value) ++missed;
    }
  });
  EXPECT_EQ(missed, 0u);
}

TEST(MemoryTierThreads, AnswersAreTheKeysOwnAndTheTierStaysConsistentUnderEverything) {
  constexpr std::uint64_t k_keys = 2000;
  MemoryTier tier({.bytes = 500 * test::charged(50)});
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> hits{0};
  in_threads([&](unsigned thread) {
    std::mt19937 random(thread);
    for (int i = 0; i < 6000; ++i) {
      const std::uint64_t key = random() % k_keys % (1 + random() % k_keys);
      const std::uint64_t stamp = random() % 32 == 0;
      switch (random() % 64) {
        case 0:
          tier.remove(key_of(key));
          break;
        case 1:
          static_cast<void>(tier.find(key_of(key), stamp, 0));
          break;
        case 2:
          if (i % 512 == 0) tier.clear();
          break;
        case 3:
          if (i % 256 == 0) {
            tier.for_each([&](const Key& held, const Entry& entry) {
              if (held != key_of(test::number_in(entry.value))) ++wrong;
            });
          }
          break;
        default:
          if (const Lookup lookup = tier.get(key_of(key), stamp, test::never_now); lookup.value != nullptr) {
            ++hits;
            if (test::number_in(lookup.value) != key) ++wrong;
          } else {
            Entry entry = number(key, random() % 100);
            entry.stamp = stamp;
            if (random() % 16 == 0) entry.expires_ms = 0;
            tier.put(key_of(key), std::move(entry));
          }
      }
    }
  });
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(hits, 0u);
  tier.check();
  tier.clear();
  EXPECT_EQ(tier.usage().bytes, 0u);
  EXPECT_EQ(tier.usage().entries, 0u);
}

}  // namespace
}  // namespace larder::memory
