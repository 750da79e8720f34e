// What holds of every policy, whatever happens to it.
#include "policy/policy.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <string>
#include <vector>

#include "container.hpp"
#include "policy/gated.hpp"

namespace larder::policy {
namespace {

using test::Container;

struct Named {
  const char* name;
  Make make;
};

class EveryPolicy : public testing::TestWithParam<Named> {};

TEST_P(EveryPolicy, HoldsTheCapacityAndKnowsWhatIsInWhateverHappens) {
  EXPECT_TRUE(rc::check([] {
    std::uint64_t capacity = *rc::gen::inRange<std::uint64_t>(1, 300);
    Container container(GetParam().make, capacity);
    const int steps = *rc::gen::inRange(0, 400);
    for (int i = 0; i < steps; ++i) {
      const auto id = *rc::gen::inRange<EntryId>(0, 60);
      const int what = *rc::gen::inRange(0, 40);
      if (what == 0) {
        capacity = *rc::gen::inRange<std::uint64_t>(1, 300);
        container.resize(capacity);
      } else if (!container.has(id)) {
        const auto weight = *rc::gen::inRange<std::uint64_t>(1, 40);
        if (weight > capacity) continue;
        container.insert(id, weight, std::ldexp(1.0, *rc::gen::inRange(-80, 80)));
      } else if (what < 5) {
        container.erase(id);
      } else {
        container.hit(id);
      }
      container.check();
    }
    const std::size_t left = container.size();
    RC_ASSERT(container.drain().size() == left);
    container.check();
  }));
}

TEST_P(EveryPolicy, AnEmptyOneHasNobodyToEvict) {
  Container container(GetParam().make, 10);
  EXPECT_TRUE(container.drain().empty());
  container.insert(3);
  EXPECT_EQ(container.drain(), std::vector<EntryId>{3});
  EXPECT_TRUE(container.drain().empty());
  container.check();
}

TEST_P(EveryPolicy, CheckNoticesAWrongCount) {
  Container container(GetParam().make, 10);
  container.insert(0);
  EXPECT_THROW(container.policy().check(0), std::logic_error);
  EXPECT_THROW(container.policy().check(2), std::logic_error);
}

TEST_P(EveryPolicy, WhatCostsNothingOrMoreThanAnythingIsNoProblem) {
  Container container(GetParam().make, 10);
  for (const double cost : {0.0, 1e-300, 1e300, 1.0}) {
    for (EntryId id = 0; id < 30; ++id) {
      if (!container.has(id)) container.insert(id, 1, cost);
      container.check();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, EveryPolicy,
                         testing::Values(Named{"Lru", make_lru}, Named{"S3Fifo", make_s3_fifo},
                                         Named{"Open", make_gated<Gate::open>}, Named{"Shut", make_gated<Gate::shut>},
                                         Named{"Narrow", make_gated<Gate::narrow>},
                                         Named{"Recent", make_gated<Gate::recent>}, Named{"TwoGate", make_two_gate}),
                         [](const auto& policy) { return std::string(policy.param.name); });

}  // namespace
}  // namespace larder::policy
