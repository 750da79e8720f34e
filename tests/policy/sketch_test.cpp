#include "policy/sketch.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace larder::policy {
namespace {

std::vector<std::uint64_t> fingerprints(std::size_t count, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> all(count);
  for (std::uint64_t& one : all) one = random();
  return all;
}

TEST(Sketch, NeverCountsTooLittleUntilItHalves) {
  constexpr std::size_t k_entries = 10'000;
  Sketch sketch;
  sketch.fit(k_entries);
  const auto keys = fingerprints(k_entries);
  for (std::size_t i = 0; i < keys.size(); ++i) sketch.add(keys[i], static_cast<int>(i % 7));
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_GE(sketch.estimate(keys[i]), static_cast<int>(i % 7)) << i;
}

TEST(Sketch, SeldomCountsTooMuchForAsManyKeysAsItIsMadeFor) {
  constexpr std::size_t k_entries = 10'000;
  Sketch sketch;
  sketch.fit(k_entries);
  const auto keys = fingerprints(k_entries);
  for (const std::uint64_t key : keys) sketch.add(key, 1);
  std::size_t wrong = 0;
  for (const std::uint64_t key : keys) wrong += sketch.estimate(key) != 1 ? 1 : 0;
  EXPECT_LT(wrong, k_entries / 50);
}

TEST(Sketch, CountsToFifteen) {
  Sketch sketch;
  sketch.fit(1000);
  for (int i = 0; i < 10; ++i) sketch.add(42, 3);
  EXPECT_EQ(sketch.estimate(42), Sketch::k_max);
}

TEST(Sketch, ForgetsHalfAfterEightAdditionsForEachEntry) {
  constexpr std::size_t k_entries = 100;
  Sketch sketch;
  sketch.fit(k_entries);
  sketch.add(42, 12);
  const auto others = fingerprints(8 * k_entries - 13);
  for (const std::uint64_t key : others) sketch.add(key, 1);
  const int before = sketch.estimate(42);
  EXPECT_GE(before, 12);
  sketch.add(others.back(), 1);
  EXPECT_EQ(sketch.estimate(42), before / 2);
}

TEST(Sketch, ForgetsNoFasterWhenThereAreFewerEntries) {
  Sketch sketch;
  sketch.fit(100);
  sketch.add(42, 12);
  sketch.fit(5);
  for (const std::uint64_t key : fingerprints(200)) sketch.add(key, 1);
  EXPECT_GE(sketch.estimate(42), 12);
  sketch.resized(5);
  for (const std::uint64_t key : fingerprints(200)) sketch.add(key, 1);
  EXPECT_LT(sketch.estimate(42), 12);
}

TEST(Sketch, RemembersWhenItGrows) {
  Sketch sketch;
  const auto keys = fingerprints(20);
  for (const std::uint64_t key : keys) sketch.fit(1000), sketch.add(key, 5);
  sketch.fit(100'000);
  for (const std::uint64_t key : keys) EXPECT_GE(sketch.estimate(key), 5);
}

}  // namespace
}  // namespace larder::policy
