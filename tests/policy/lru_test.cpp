#include "policy/lru.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace larder::policy {
namespace {

void hit(Policy& policy, EntryId id, Tick now) {
  policy.hit(std::array{Hit{id, now}});
}

std::vector<EntryId> evict_all(Policy& policy) {
  std::vector<EntryId> order;
  while (const auto victim = policy.victim()) {
    order.push_back(victim->id);
    policy.erased(victim->id);
  }
  return order;
}

TEST(Lru, AnEmptyPolicyHasNoVictim) {
  const auto policy = make_lru();
  EXPECT_FALSE(policy->victim());
  policy->check(0);
}

TEST(Lru, EntriesLeaveInTheOrderInWhichTheyCame) {
  const auto policy = make_lru();
  for (EntryId id : {4u, 0u, 2u}) policy->inserted(id, {}, id == 4 ? 1 : id == 0 ? 2 : 3);
  policy->check(3);
  EXPECT_EQ(evict_all(*policy), (std::vector<EntryId>{4, 0, 2}));
}

TEST(Lru, AHitMakesAnEntryTheLastToLeave) {
  const auto policy = make_lru();
  for (EntryId id = 0; id < 4; ++id) policy->inserted(id, {}, id + 1);
  hit(*policy, 1, 5);
  hit(*policy, 0, 6);
  EXPECT_EQ(evict_all(*policy), (std::vector<EntryId>{2, 3, 1, 0}));
}

TEST(Lru, TheVictimTellsWhenItWasUsed) {
  const auto policy = make_lru();
  policy->inserted(0, {}, 10);
  policy->inserted(1, {}, 20);
  hit(*policy, 0, 30);
  EXPECT_EQ(policy->victim()->id, 1u);
  EXPECT_EQ(policy->victim()->used, 20u);
}

TEST(Lru, ANumberThatLeftCanComeAgain) {
  const auto policy = make_lru();
  policy->inserted(0, {}, 1);
  policy->inserted(1, {}, 2);
  policy->erased(0);
  policy->inserted(0, {}, 3);
  policy->check(2);
  EXPECT_EQ(evict_all(*policy), (std::vector<EntryId>{1, 0}));
}

TEST(Lru, CheckNoticesAWrongCount) {
  const auto policy = make_lru();
  policy->inserted(0, {}, 1);
  EXPECT_THROW(policy->check(0), std::logic_error);
  EXPECT_THROW(policy->check(2), std::logic_error);
}

// Applies random operations on `numbers` entries to the policy and to a map from entry to last use, and
// calls `compare(victim, last uses, most entries so far)` after some: hits wait for the next look at the order.
template <class Compare>
void play(EntryId numbers, int steps, const Compare& compare) {
  Lru policy;
  std::map<EntryId, Tick> used;
  std::size_t most = 0;
  for (int i = 1; i <= steps; ++i) {
    const auto now = static_cast<Tick>(i);
    // Low numbers are drawn more often, so that some entries are hit while they are young.
    const EntryId id = *rc::gen::inRange<EntryId>(0, *rc::gen::inRange<EntryId>(1, numbers + 1));
    if (!used.contains(id)) {
      policy.inserted(id, {}, now);
      used[id] = now;
    } else if (*rc::gen::inRange(0, 8) == 0) {
      policy.erased(id);
      used.erase(id);
    } else {
      hit(policy, id, now);
      used[id] = now;
    }
    most = std::max(most, used.size());
    policy.check(used.size());
    if (*rc::gen::inRange(0, 3) != 0) continue;
    const auto victim = policy.victim();
    RC_ASSERT(victim.has_value() == !used.empty());
    if (victim) compare(*victim, used, most);
  }
}

Tick oldest_use(const std::map<EntryId, Tick>& used) {
  return std::ranges::min_element(used, {}, [](const auto& entry) { return entry.second; })->second;
}

TEST(Lru, FewerThanSixteenEntriesLeaveInExactlyTheOrderOfTheirLastUse) {
  EXPECT_TRUE(rc::check([] {
    play(15, 200, [](const Victim& victim, const auto& used, std::size_t) {
      RC_ASSERT(used.contains(victim.id));
      RC_ASSERT(used.at(victim.id) == oldest_use(used));
      RC_ASSERT(victim.used == oldest_use(used));
    });
  }));
}

TEST(Lru, TheVictimIsTheLeastRecentlyUsedUpToAnEighthOfTheEntries) {
  EXPECT_TRUE(rc::check([] {
    play(*rc::gen::inRange<EntryId>(16, 200), 600, [](const Victim& victim, const auto& used, std::size_t most) {
      RC_ASSERT(used.contains(victim.id));
      const Tick slack = std::max<Tick>(most / 8, 1);
      RC_ASSERT(used.at(victim.id) - victim.used < slack);
      RC_ASSERT(used.at(victim.id) - oldest_use(used) < slack);
    });
  }));
}

TEST(Lru, AHitOnAYoungEntryMovesNothing) {
  Lru policy;
  for (EntryId id = 0; id < 80; ++id) policy.inserted(id, {}, id + 1);
  hit(policy, 72, 82);  // moved 9 of 80 entries' uses ago: less than an eighth
  hit(policy, 0, 83);
  for (EntryId id = 1; id < 72; ++id) policy.erased(id);
  EXPECT_EQ(evict_all(policy), (std::vector<EntryId>{72, 73, 74, 75, 76, 77, 78, 79, 0}));
}

}  // namespace
}  // namespace larder::policy
