#include "policy/two_gate.hpp"

#include <gtest/gtest.h>

#include "policy/shadow.hpp"

namespace larder::policy {
namespace {

constexpr std::uint64_t k_capacity = 1000;

// A cache that is asked for numbers, and the part of what it was asked for that was there.
class Asked {
 public:
  explicit Asked(Make make) : cache_(make, k_capacity) {}
  void ask(std::uint64_t number) {
    const std::uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15u;
    hits_ += cache_.request({.fingerprint = mixed ^ mixed >> 32, .weight = 1, .cost = 1}) ? 1 : 0;
    ++requests_;
  }
  // Since this was called last.
  double hit_ratio() {
    cache_.check();
    const double ratio = static_cast<double>(hits_) / static_cast<double>(requests_);
    hits_ = requests_ = 0;
    return ratio;
  }

 private:
  Shadow cache_;
  std::uint64_t hits_ = 0;
  std::uint64_t requests_ = 0;
};

// Round and round.
double loop(Asked& cache) {
  for (int round = 0; round < 100; ++round) {
    for (std::uint64_t number = 0; number < 2 * k_capacity; ++number) cache.ask(number);
  }
  return cache.hit_ratio();
}

// Five hundred, ten times each, and then never again.
double move_on(Asked& cache) {
  constexpr std::uint64_t k_phase = 500;
  static std::uint64_t first = 1'000'000;
  for (int phase = 0; phase < 100; ++phase, first += k_phase) {
    for (std::uint64_t i = 0; i < 10 * k_phase; ++i) cache.ask(first + i % k_phase);
  }
  return cache.hit_ratio();
}

TEST(TwoGate, SetsTheGateAsTheWorkDoesThatIsGoingOn) {
  Asked two(make_two_gate);
  for (int time = 0; time < 3; ++time) {
    EXPECT_GT(loop(two), 0.35) << time;
    EXPECT_GT(move_on(two), 0.75) << time;
  }
  Asked open(make_gated<Gate::open>);
  EXPECT_LT(loop(open), 0.01);
  Asked shut(make_gated<Gate::shut>);
  EXPECT_LT(move_on(shut), 0.75);
}

// First one gate is ahead, then the other one, for half a round each: to follow is to be late each time.
TEST(TwoGate, DoesNotChangeTheGateForWhatComesAndGoes) {
  Asked two(make_two_gate);
  Asked open(make_gated<Gate::open>);
  for (int round = 0; round < 60; ++round) {
    for (Asked* cache : {&two, &open}) {
      for (std::uint64_t number = 0; number < 2 * k_capacity; ++number) cache->ask(number);
      for (std::uint64_t number = 2 * k_capacity; number-- > 0;) cache->ask(number);
    }
    if (round == 9) static_cast<void>(two.hit_ratio()), static_cast<void>(open.hit_ratio());
  }
  EXPECT_GT(two.hit_ratio(), 0.9 * open.hit_ratio());
}

}  // namespace
}  // namespace larder::policy
