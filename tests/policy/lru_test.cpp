#include "policy/lru.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "container.hpp"

namespace larder::policy {
namespace {

using test::Container;
using Ids = std::vector<EntryId>;

TEST(Lru, EntriesLeaveInTheOrderInWhichTheyCame) {
  Container container(make_lru, 3);
  for (const EntryId id : {4u, 0u, 2u}) EXPECT_EQ(container.insert(id), Ids{});
  EXPECT_EQ(container.insert(1), Ids{4});
  EXPECT_EQ(container.insert(7, 2), (Ids{0, 2}));
  container.check();
}

TEST(Lru, AHitMakesAnEntryTheLastToLeave) {
  Container container(make_lru, 4);
  for (EntryId id = 0; id < 4; ++id) container.insert(id);
  container.hit(1);
  container.hit(0);
  EXPECT_EQ(container.drain(), (Ids{2, 3, 1, 0}));
}

TEST(Lru, LeavesInTheOrderOfLastUseWhateverHappens) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& steps) {
    Container container(make_lru, 20);
    Ids by_use;  // the least recently used first
    for (const std::uint8_t step : steps) {
      const EntryId id = step % 40;
      const auto place = std::ranges::find(by_use, id);
      if (place == by_use.end()) {
        Ids expected;
        if (by_use.size() == 20) expected = {by_use.front()};
        RC_ASSERT(container.insert(id) == expected);
        by_use.erase(by_use.begin(), by_use.begin() + static_cast<std::ptrdiff_t>(expected.size()));
        by_use.push_back(id);
      } else {
        by_use.erase(place);
        if (step % 5 == 0) {
          container.erase(id);
        } else {
          container.hit(id);
          by_use.push_back(id);
        }
      }
      container.check();
    }
    RC_ASSERT(container.drain() == by_use);
  }));
}

}  // namespace
}  // namespace larder::policy
