// A container for tests of policies: it knows what it put in, and checks every answer against that.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "policy/policy.hpp"

namespace larder::policy::test {

class Container final : public Entries {
 public:
  Container(Make make, std::uint64_t capacity) : capacity_(capacity), policy_(make(*this, capacity)) {}

  // Returns those that left for it, in their order.
  std::vector<EntryId> insert(EntryId id, std::uint64_t weight = 1, double cost = 1) {
    in_[id] = {{.fingerprint = fingerprint(id), .weight = weight, .cost = cost}, 0};
    policy_->fit(id);
    policy_->insert(id);
    return std::exchange(left_, {});
  }
  void hit(EntryId id) {
    std::uint8_t& hits = in_.at(id).hits;
    if (hits < k_hits_max) ++hits;
    if (policy_->samples(fingerprint(id))) policy_->hit(id);
  }
  void erase(EntryId id) {
    policy_->erase(id);
    in_.erase(id);
  }
  std::vector<EntryId> resize(std::uint64_t capacity) {
    capacity_ = capacity;
    policy_->resize(capacity);
    return std::exchange(left_, {});
  }
  // Evicts all, and returns their order.
  std::vector<EntryId> drain() {
    while (policy_->evict()) continue;
    return std::exchange(left_, {});
  }

  [[nodiscard]] bool has(EntryId id) const { return in_.contains(id); }
  [[nodiscard]] std::size_t size() const { return in_.size(); }
  [[nodiscard]] Policy& policy() { return *policy_; }
  // Throws if the policy holds other entries than the container, or more than may be.
  void check() const {
    policy_->check(in_.size());
    const std::uint64_t weight =
        std::accumulate(in_.begin(), in_.end(), std::uint64_t{0},
                        [](auto sum, const auto& in) { return sum + in.second.traits.weight; });
    if (weight > capacity_) throw std::logic_error("over the capacity");
  }

 private:
  struct Entry {
    Traits traits;
    std::uint8_t hits = 0;
  };

  // As of a hash: all bits are used.
  static std::uint64_t fingerprint(EntryId id) {
    std::uint64_t x = id + 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
  }
  [[nodiscard]] Traits traits(EntryId id) const override { return in_.at(id).traits; }
  std::uint8_t take_hits(EntryId id) override { return std::exchange(in_.at(id).hits, std::uint8_t{0}); }
  void leaves(EntryId id) noexcept override {
    EXPECT_EQ(in_.erase(id), 1u) << "what leaves was not in";
    left_.push_back(id);
  }

  std::uint64_t capacity_;
  std::map<EntryId, Entry> in_;
  std::vector<EntryId> left_;
  std::unique_ptr<Policy> policy_;
};

}  // namespace larder::policy::test
