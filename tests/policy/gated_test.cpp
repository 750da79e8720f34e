#include "policy/gated.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "container.hpp"
#include "policy/shadow.hpp"

namespace larder::policy {
namespace {

using test::Container;
using Ids = std::vector<EntryId>;

constexpr Make k_open = make_gated<Gate::open>;
constexpr Make k_shut = make_gated<Gate::shut>;
constexpr Make k_narrow = make_gated<Gate::narrow>;
constexpr Make k_recent = make_gated<Gate::recent>;

TEST(Gated, OfEntriesThatNobodyAskedForAgainTheFirstOneLeavesFirst) {
  Container container(k_open, 10);
  for (EntryId id = 0; id < 10; ++id) container.insert(id);
  EXPECT_EQ(container.insert(10), Ids{0});
  EXPECT_EQ(container.insert(11), Ids{1});
  container.check();
}

TEST(Gated, WhatWasHitStays) {
  Container container(k_open, 10);
  for (EntryId id = 0; id < 10; ++id) container.insert(id);
  container.hit(0);
  EXPECT_EQ(container.insert(10), Ids{1});
}

TEST(Gated, WhatIsDearForItsBytesStays) {
  Container container(k_open, 1000);
  container.insert(0, 100, 100.0);  // dear
  container.insert(1, 100, 1.0);    // cheap
  container.insert(2, 10, 1.0);     // as cheap, and small
  container.insert(3, 700, 1.0);    // cheap, and large
  EXPECT_EQ(container.insert(4, 700, 1.0), Ids{3});
  EXPECT_EQ(container.insert(5, 150, 10.0), Ids{4});
  EXPECT_EQ(container.insert(6, 700, 10.0), Ids{1});
  EXPECT_TRUE(container.has(0));
  EXPECT_TRUE(container.has(2));
  container.check();
}

TEST(Gated, WhatIsDearLeavesInTheEndIfNobodyAsksForIt) {
  Container container(k_open, 100);
  container.insert(0, 1, 1000.0);
  EntryId id = 1;
  while (container.has(0) && id < 1'000'000) container.insert(id++);
  EXPECT_GT(id, 10'000u) << "a thousand times the cost of others lasts about a thousand times as long";
  EXPECT_LT(id, 400'000u);
}

TEST(Gated, AtAShutGateWhatIsWorthNoMoreThanItsVictimsLeavesAtOnce) {
  Container container(k_shut, 10);
  for (EntryId id = 0; id < 10; ++id) EXPECT_EQ(container.insert(id), Ids{});
  EXPECT_EQ(container.insert(10), Ids{10}) << "no more";
  EXPECT_EQ(container.insert(11, 1, 2.0), Ids{0}) << "twice as much";
  EXPECT_EQ(container.insert(12, 3, 4.0), (Ids{1, 2, 3})) << "more than three together";
  EXPECT_EQ(container.insert(13, 3, 2.5), (Ids{4, 5, 13})) << "what made room for it is gone";
  container.check();
}

// How often it takes to ask for one more than there is room for until it is let in.
int asks_until_in(Make make) {
  Container container(make, 10);
  for (EntryId id = 0; id < 10; ++id) container.insert(id);
  int times = 1;
  while (container.insert(10) == Ids{10}) ++times;
  EXPECT_TRUE(container.has(10));
  return times;
}

TEST(Gated, WhatIsAskedForOftenComesInThroughAnyGate) {
  EXPECT_EQ(asks_until_in(k_open), 1);
  EXPECT_EQ(asks_until_in(k_recent), 1);
  EXPECT_EQ(asks_until_in(k_shut), 2);
  EXPECT_EQ(asks_until_in(k_narrow), 3) << "the request that brings it does not count";
}

TEST(Gated, WithARecentGateWhatWasInUseOnceGoesLikeAnyOther) {
  for (const auto& [make, stays] : {std::pair{k_open, true}, std::pair{k_recent, false}}) {
    Container container(make, 100);
    for (EntryId id = 0; id < 100; ++id) container.insert(id);
    for (int i = 0; i < 3; ++i) container.hit(0);
    for (EntryId id = 100; id < 350; ++id) container.insert(id);
    EXPECT_EQ(container.has(0), stays);
    container.check();
  }
}

TEST(Gated, BehindANarrowGateALoopKeepsWhatItHolds) {
  const auto hits_in_a_loop = [](Make make) {
    Shadow cache(make, 1000);
    std::uint64_t hits = 0;
    for (int round = 0; round < 50; ++round) {
      for (std::uint64_t id = 0; id < 2500; ++id) {
        const std::uint64_t mixed = (id + 1) * 0x9e3779b97f4a7c15u;
        hits += cache.request({.fingerprint = mixed ^ mixed >> 32, .weight = 1, .cost = 1}) ? 1 : 0;
      }
    }
    return hits;
  };
  // The best that can be done is 1000 in each round but the first.
  EXPECT_GT(hits_in_a_loop(k_narrow), 49u * 1000 * 9 / 10);
  EXPECT_LT(hits_in_a_loop(k_shut), 49u * 1000 * 8 / 10);
}

}  // namespace
}  // namespace larder::policy
