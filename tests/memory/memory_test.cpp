#include "memory/memory.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "memory/entries.hpp"

namespace larder::memory {
namespace {

using test::charged;
using test::get_number;
using test::key_of;
using test::mortal;
using test::number;

constexpr Limits k_ample{.bytes = 1 << 30};

TEST(MemoryTier, AnswersWithTheValueThatWasPutAndWhatWasSaidOfIt) {
  MemoryTier tier(k_ample);
  const detail::Type type{};
  Entry entry = number(42);
  entry.type = &type;
  entry.cost_ns = 12345;
  const detail::Value value = entry.value;
  ASSERT_TRUE(tier.put("a", std::move(entry)));
  const Lookup lookup = tier.get("a", 0, test::never_now);
  ASSERT_TRUE(lookup.value);
  EXPECT_EQ(lookup.value, value);  // the same object: shared, not copied
  EXPECT_EQ(lookup.type, &type);
  EXPECT_EQ(lookup.cost_ns, 12345u);
  tier.check();
}

TEST(MemoryTier, AKeyThatWasNotPutIsAbsent) {
  MemoryTier tier(k_ample);
  tier.put(key_of(1), number(1));
  const Lookup lookup = tier.get(key_of(2), 0, test::never_now);
  EXPECT_FALSE(lookup.value);
  EXPECT_EQ(lookup.miss, Miss::absent);
}

TEST(MemoryTier, KeysBeyondTheInlinePartAreFoundAndChargedInFull) {
  MemoryTier tier(k_ample);
  const Key key(std::string(1000, 'k'));
  tier.put(key, number(1));
  EXPECT_EQ(get_number(tier, key), 1u);
  EXPECT_EQ(tier.usage().bytes, charged(8) + key.canonical().size());
  EXPECT_TRUE(tier.remove(key));
  EXPECT_EQ(tier.usage().bytes, 0u);
}

TEST(MemoryTier, AValueOutlivesItsEntry) {
  std::optional<MemoryTier> tier(k_ample);
  tier->put("a", number(7));
  const Lookup lookup = tier->get("a", 0, test::never_now);
  tier->clear();
  tier.reset();
  EXPECT_EQ(test::number_in(lookup.value), 7u);
}

TEST(MemoryTier, APutReplacesWhatTheKeyHad) {
  MemoryTier tier(k_ample);
  bool died = false;
  tier.put("a", mortal([&] { died = true; }, 100));
  tier.put("a", number(2, 50));
  EXPECT_TRUE(died);
  EXPECT_EQ(get_number(tier, "a"), 2u);
  EXPECT_EQ(tier.usage().entries, 1u);
  EXPECT_EQ(tier.usage().bytes, charged(50));
  tier.put("a", number(3, 500));
  EXPECT_EQ(tier.usage().bytes, charged(500));
  EXPECT_EQ(tier.usage().evicted, 0u);  // a replacement is no eviction
  tier.check();
}

TEST(MemoryTier, AHeavierReplacementMakesRoomAmongTheOthers) {
  MemoryTier tier({.bytes = 3 * charged(100)});
  for (std::uint64_t i = 0; i < 3; ++i) tier.put(key_of(i), number(i, 100));
  EXPECT_TRUE(tier.put(key_of(2), number(22, charged(100) + 100)));
  EXPECT_EQ(get_number(tier, key_of(0)), std::nullopt);
  EXPECT_EQ(get_number(tier, key_of(1)), 1u);
  EXPECT_EQ(get_number(tier, key_of(2)), 22u);
  EXPECT_EQ(tier.usage().evicted, 1u);
  tier.check();
}

TEST(MemoryTier, ThePolicyIsOneForTheWholeTier) {
  MemoryTier tier({.bytes = 10 * charged(8)}, policy::make_lru);
  for (std::uint64_t i = 0; i < 10; ++i) tier.put(key_of(i), number(i));
  EXPECT_EQ(get_number(tier, key_of(0)), 0u);
  EXPECT_TRUE(tier.find(key_of(1), 0, 0));  // asking is no use
  for (std::uint64_t i = 10; i < 19; ++i) {
    tier.put(key_of(i), number(i));
    EXPECT_FALSE(tier.find(key_of(i - 9), 0, 0)) << i;
  }
  EXPECT_TRUE(tier.find(key_of(0), 0, 0));
  EXPECT_EQ(tier.usage().evicted, 9u);
  EXPECT_EQ(tier.usage().entries, 10u);
  tier.check();
}

TEST(MemoryTier, TheCountLimitHoldsBesideTheByteLimit) {
  MemoryTier tier({.bytes = 1 << 30, .entries = 5}, policy::make_lru);
  for (std::uint64_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(tier.put(key_of(i), number(i)));
    EXPECT_EQ(tier.usage().entries, std::min<std::uint64_t>(i + 1, 5));
  }
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(tier.find(key_of(i), 0, 0).has_value(), i >= 15) << i;
  tier.check();
}

// The policy reckons in bytes: what it would keep of these is not to be all that comes in.
TEST(MemoryTier, UnderALimitByCountThePolicyKeepsWhatIsAskedForOften) {
  constexpr std::uint64_t k_entries = 500;
  MemoryTier by_bytes({.bytes = k_entries * charged(8)});
  MemoryTier by_count({.bytes = 1 << 30, .entries = k_entries});
  const auto hits = [](MemoryTier& tier) {
    std::mt19937 random(1);
    int found = 0;
    for (int i = 0; i < 50'000; ++i) {
      const std::uint64_t key = random() % (1 + random() % (1 + random() % 10'000));
      if (get_number(tier, key_of(key))) {
        ++found;
      } else {
        tier.put(key_of(key), number(key));
      }
    }
    tier.check();
    return found;
  };
  EXPECT_GT(hits(by_count), hits(by_bytes) * 99 / 100);
  EXPECT_EQ(by_count.usage().entries, k_entries);
}

TEST(MemoryTier, AResizedTierKeepsWithinItsNewLimitAndWhatItsPolicyKeepsLongest) {
  MemoryTier tier({.bytes = 1000 * charged(8)}, policy::make_lru);
  for (std::uint64_t i = 0; i < 1000; ++i) tier.put(key_of(i), number(i));
  tier.resize(300 * charged(8));
  tier.check();
  EXPECT_EQ(tier.usage().entries, 300u);
  EXPECT_EQ(tier.usage().evicted, 700u);
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(tier.find(key_of(i), 0, 0).has_value(), i >= 700) << i;
  EXPECT_FALSE(tier.put(key_of(1), number(1, 300 * charged(8))));
  tier.resize(400 * charged(8));
  for (std::uint64_t i = 0; i < 100; ++i) tier.put(key_of(i), number(i));
  EXPECT_EQ(tier.usage().entries, 400u);
  tier.resize(0);
  EXPECT_EQ(tier.usage().entries, 0u);
  EXPECT_FALSE(tier.put(key_of(1), number(1)));
  tier.check();
}

TEST(MemoryTier, AnEntryAsHeavyAsTheLimitIsAdmittedAndAHeavierOneIsNot) {
  MemoryTier tier({.bytes = charged(1000)});
  tier.put(key_of(1), number(1));
  EXPECT_FALSE(tier.put(key_of(2), number(2, 1001)));
  EXPECT_EQ(get_number(tier, key_of(1)), 1u);  // nothing was evicted for nothing
  tier.remove(key_of(1));
  EXPECT_TRUE(tier.put(key_of(2), number(2, 1000)));
  EXPECT_EQ(get_number(tier, key_of(2)), 2u);
  EXPECT_EQ(tier.usage().bytes, charged(1000));
  tier.check();
}

TEST(MemoryTier, WhatTheKeyHadIsGoneWhenItsReplacementIsTooHeavy) {
  MemoryTier tier({.bytes = charged(1000)});
  tier.put("a", number(1));
  EXPECT_FALSE(tier.put("a", number(2, UINT64_MAX)));
  EXPECT_EQ(get_number(tier, "a"), std::nullopt);
  EXPECT_EQ(tier.usage().bytes, 0u);
}

TEST(MemoryTier, ALimitOfNothingAdmitsNothing) {
  MemoryTier no_bytes({.bytes = 0});
  MemoryTier no_entries({.bytes = 1 << 20, .entries = 0});
  EXPECT_FALSE(no_bytes.put("a", number(1)));
  EXPECT_FALSE(no_entries.put("a", number(1)));
  EXPECT_EQ(get_number(no_bytes, "a"), std::nullopt);
}

TEST(MemoryTier, AnEntryOfAnotherStampIsStaleOnceAndThenAbsent) {
  MemoryTier tier(k_ample);
  bool died = false;
  Entry entry = mortal([&] { died = true; });
  entry.stamp = 5;
  tier.put("a", std::move(entry));
  EXPECT_TRUE(tier.find("a", 5, 0));
  EXPECT_FALSE(tier.find("a", 6, 0));
  EXPECT_TRUE(tier.get("a", 5, test::never_now).value);
  const Lookup stale = tier.get("a", 6, test::never_now);
  EXPECT_FALSE(stale.value);
  EXPECT_EQ(stale.miss, Miss::stale);
  EXPECT_TRUE(died);
  EXPECT_EQ(tier.get("a", 5, test::never_now).miss, Miss::absent);
  EXPECT_EQ(tier.usage().bytes, 0u);
  tier.check();
}

TEST(MemoryTier, AnEntryIsAnsweredUpToItsExpiryAndIsGoneFromThenOn) {
  MemoryTier tier(k_ample);
  bool died = false;
  Entry entry = mortal([&] { died = true; });
  entry.expires_ms = 1000;
  tier.put("a", std::move(entry));
  EXPECT_TRUE(tier.get("a", 0, base::Clock([] { return std::int64_t{999}; })).value);
  EXPECT_TRUE(tier.find("a", 0, 999));
  EXPECT_FALSE(tier.find("a", 0, 1000));
  const Lookup expired = tier.get("a", 0, base::Clock([] { return std::int64_t{1000}; }));
  EXPECT_FALSE(expired.value);
  EXPECT_EQ(expired.miss, Miss::expired);
  EXPECT_TRUE(died);
  EXPECT_EQ(tier.usage().expired, 1u);
  EXPECT_EQ(tier.usage().evicted, 0u);
  EXPECT_EQ(tier.get("a", 0, base::Clock([] { return std::int64_t{0}; })).miss, Miss::absent);
  tier.check();
}

TEST(MemoryTier, TheClockIsReadForEntriesWithAnExpiryOnly) {
  MemoryTier tier(k_ample);
  tier.put("a", number(1));
  EXPECT_TRUE(tier.get("a", 0, base::Clock([]() -> std::int64_t { throw 0; })).value);
  EXPECT_NO_THROW(static_cast<void>(tier.get("absent", 0, base::Clock([]() -> std::int64_t { throw 0; }))));
  Entry entry = number(2);
  entry.expires_ms = 1;
  tier.put("b", std::move(entry));
  EXPECT_ANY_THROW(static_cast<void>(tier.get("b", 0, base::Clock([]() -> std::int64_t { throw 0; }))));
}

TEST(MemoryTier, RemoveTellsWhetherThereWasAnEntry) {
  MemoryTier tier(k_ample);
  tier.put("a", number(1));
  EXPECT_TRUE(tier.remove("a"));
  EXPECT_FALSE(tier.remove("a"));
  EXPECT_EQ(tier.usage().entries, 0u);
  EXPECT_EQ(tier.usage().bytes, 0u);
}

TEST(MemoryTier, ClearRemovesEverythingAndTheTierGoesOn) {
  MemoryTier tier(k_ample);
  int died = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) tier.put(key_of(i), mortal([&] { ++died; }));
  tier.clear();
  EXPECT_EQ(died, 1000);
  EXPECT_EQ(tier.usage().entries, 0u);
  EXPECT_EQ(tier.usage().bytes, 0u);
  tier.check();
  tier.put(key_of(1), number(1));
  EXPECT_EQ(get_number(tier, key_of(1)), 1u);
  tier.check();
}

TEST(MemoryTier, ForEachVisitsEveryEntryWithAllThatIsKeptOfIt) {
  MemoryTier tier(k_ample);
  for (std::uint64_t i = 0; i < 500; ++i) {
    Entry entry = number(i, 10 + i);
    entry.created_ms = 7;
    entry.stamp = i;
    tier.put(key_of(i), std::move(entry));
  }
  std::set<std::uint64_t> seen;
  tier.for_each([&](const Key& key, const Entry& entry) {
    const std::uint64_t value = test::number_in(entry.value);
    EXPECT_EQ(key, key_of(value));
    EXPECT_EQ(entry.weight, 10 + value);
    EXPECT_EQ(entry.created_ms, 7);
    EXPECT_EQ(entry.stamp, value);
    EXPECT_TRUE(seen.insert(value).second);
  });
  EXPECT_EQ(seen.size(), 500u);
}

TEST(MemoryTier, TheVisitorMayChangeTheTier) {
  MemoryTier tier(k_ample);
  for (std::uint64_t i = 0; i < 500; ++i) tier.put(key_of(i), number(i));
  std::size_t visited = 0;
  tier.for_each([&](const Key& key, const Entry&) {
    EXPECT_TRUE(tier.remove(key));
    ++visited;
  });
  EXPECT_EQ(visited, 500u);
  EXPECT_EQ(tier.usage().entries, 0u);
}

// Each of these would hang if the destructor ran under the lock of the part that it calls into, and each
// way out of the tier has its turn: replaced, evicted, removed, stale, expired, cleared, refused.
TEST(MemoryTier, DestructorsOfValuesMayCallTheTier) {
  MemoryTier tier({.bytes = 1 << 20, .entries = 40});
  int died = 0;
  const auto use_everything = [&] {
    ++died;
    for (std::uint64_t i = 0; i < 300; ++i) static_cast<void>(tier.get(key_of(i), 0, test::never_now));
    for (std::uint64_t i = 1000; i < 1010; ++i) tier.put(key_of(i), number(i));
    tier.remove(key_of(1005));
  };
  tier.put("replaced", mortal(use_everything));
  tier.put("replaced", number(1));
  EXPECT_EQ(died, 1);
  tier.put("removed", mortal(use_everything));
  tier.remove("removed");
  EXPECT_EQ(died, 2);
  tier.put("stale", mortal(use_everything));
  static_cast<void>(tier.get("stale", 1, test::never_now));
  EXPECT_EQ(died, 3);
  Entry expiring = mortal(use_everything);
  expiring.expires_ms = -1;
  tier.put("expired", std::move(expiring));
  static_cast<void>(tier.get("expired", 0, test::never_now));
  EXPECT_EQ(died, 4);
  tier.put("cleared", mortal(use_everything));
  tier.clear();
  EXPECT_EQ(died, 5);
  tier.put("too heavy", mortal(use_everything));
  EXPECT_FALSE(tier.put("too heavy", number(1, 2 << 20)));
  EXPECT_EQ(died, 6);
  tier.put("evicted", mortal(use_everything));
  for (std::uint64_t i = 0; i < 100; ++i) tier.put(key_of(i), number(i));
  EXPECT_EQ(died, 7);
  tier.check();
}

}  // namespace
}  // namespace larder::memory
