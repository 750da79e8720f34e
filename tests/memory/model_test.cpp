// The tier against a model: a list of entries in the order of their use. A tier of few entries is exactly
// LRU, whatever parts the keys fall to, so the model predicts every answer and every eviction.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <list>

#include "memory/entries.hpp"

namespace larder::memory {
namespace {

using test::charged;
using test::key_of;

class Model {
 public:
  explicit Model(Limits limits) : limits_(limits) {}

  struct Held {
    std::uint64_t key;
    std::uint64_t value;
    std::uint64_t weight;
    std::uint64_t stamp;
    std::int64_t expires_ms;
  };

  bool put(const Held& entry) {
    const std::uint64_t weight = charged(entry.weight);
    if (weight > limits_.bytes || limits_.entries == 0) return remove(entry.key), false;
    remove(entry.key);
    while (bytes() + weight > limits_.bytes || entries_.size() >= limits_.entries) {
      entries_.pop_front();
      ++evicted_;
    }
    entries_.push_back(entry);
    return true;
  }
  std::pair<std::optional<std::uint64_t>, Miss> get(std::uint64_t key, std::uint64_t stamp, std::int64_t now_ms) {
    const auto it = find(key);
    if (it == entries_.end()) return {std::nullopt, Miss::absent};
    if (it->stamp != stamp) return entries_.erase(it), std::pair{std::nullopt, Miss::stale};
    if (it->expires_ms <= now_ms) return entries_.erase(it), std::pair{std::nullopt, Miss::expired};
    entries_.splice(entries_.end(), entries_, it);
    return {it->value, Miss::absent};
  }
  bool remove(std::uint64_t key) {
    const auto it = find(key);
    if (it == entries_.end()) return false;
    entries_.erase(it);
    return true;
  }
  void clear() { entries_.clear(); }
  [[nodiscard]] bool contains(std::uint64_t key) { return find(key) != entries_.end(); }
  [[nodiscard]] std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const Held& entry : entries_) sum += charged(entry.weight);
    return sum;
  }
  [[nodiscard]] std::uint64_t entries() const { return entries_.size(); }
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

 private:
  std::list<Held>::iterator find(std::uint64_t key) {
    return std::ranges::find_if(entries_, [&](const Held& entry) { return entry.key == key; });
  }

  const Limits limits_;
  std::list<Held> entries_;  // least recently used first
  std::uint64_t evicted_ = 0;
};

TEST(MemoryTierModel, EveryAnswerAndEveryEvictionIsAsTheModelPredicts) {
  EXPECT_TRUE(rc::check([] {
    constexpr std::uint64_t k_keys = 20;
    const Limits limits{.bytes = *rc::gen::inRange<std::uint64_t>(charged(0), 12 * charged(100)),
                        .entries = *rc::gen::inRange<std::uint64_t>(1, 15)};
    MemoryTier tier(limits, policy::make_lru);
    Model model(limits);
    const auto steps = *rc::gen::inRange<std::uint64_t>(0, 150);
    for (std::uint64_t step = 0; step < steps; ++step) {
      const auto key = *rc::gen::inRange<std::uint64_t>(0, k_keys);
      const int what = *rc::gen::inRange(0, 100);
      if (what < 45) {
        const auto weight = *rc::gen::inRange<std::uint64_t>(0, 400);
        const auto stamp = *rc::gen::inRange<std::uint64_t>(0, 8) / 7;
        const std::int64_t expires_ms = *rc::gen::inRange(0, 8) == 0 ? 0 : k_no_expiry;
        Entry entry = test::number(step, weight);
        entry.stamp = stamp;
        entry.expires_ms = expires_ms;
        RC_ASSERT(tier.put(key_of(key), std::move(entry)) == model.put({key, step, weight, stamp, expires_ms}));
      } else if (what < 90) {
        const Lookup lookup = tier.get(key_of(key), 0, test::never_now);
        const auto [value, miss] = model.get(key, 0, 0);
        RC_ASSERT((lookup.value != nullptr) == value.has_value());
        RC_ASSERT(lookup.miss == miss);
        if (value) RC_ASSERT(test::number_in(lookup.value) == *value);
      } else if (what < 99) {
        RC_ASSERT(tier.remove(key_of(key)) == model.remove(key));
      } else {
        tier.clear();
        model.clear();
      }
      tier.check();
      RC_ASSERT(tier.usage().bytes == model.bytes());
      RC_ASSERT(tier.usage().entries == model.entries());
      RC_ASSERT(tier.usage().evicted == model.evicted());
      for (std::uint64_t i = 0; i < k_keys; ++i) {
        const bool held = tier.find(key_of(i), 0, -1) || tier.find(key_of(i), 1, -1);
        RC_ASSERT(held == model.contains(i));
      }
    }
  }));
}

}  // namespace
}  // namespace larder::memory
