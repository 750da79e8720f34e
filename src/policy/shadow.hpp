// A cache without values: what a policy would keep, and so which requests would be hits. Two of them tell Two-Gate how
// to set its gate; a simulator is one with the capacity in question.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/policy.hpp"

namespace larder::policy {

// Not thread-safe.
class Shadow final : private Entries {
 public:
  Shadow(Make make, std::uint64_t capacity);
  // Its policy refers to it.
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  // Whether the key was in. If not, it is now, provided that it is admitted. If there is no memory, std::bad_alloc, and
  // nothing has changed. REQUIRES: a key's traits never change.
  bool request(const Traits& traits);
  // Forgets the keys for which `keep(fingerprint)` does not hold, then what does not fit into the capacity.
  template <class Keep>
  void shrink(std::uint64_t capacity, const Keep& keep) noexcept {
    for (auto known = ids_.begin(); known != ids_.end();) {
      const auto [fingerprint, id] = *known++;
      if (keep(fingerprint)) continue;
      policy_->erase(id);
      leaves(id);
    }
    capacity_ = capacity;
    policy_->resize(capacity);
  }
  // Throws std::logic_error, saying what, if an invariant does not hold.
  void check() const { policy_->check(ids_.size()); }

 private:
  struct Entry {
    Traits traits;
    std::uint8_t hits = 0;
  };
  [[nodiscard]] Traits traits(EntryId id) const override { return in_[id].traits; }
  std::uint8_t take_hits(EntryId id) override { return std::exchange(in_[id].hits, std::uint8_t{0}); }
  void leaves(EntryId id) noexcept override;

  std::uint64_t capacity_;
  std::vector<Entry> in_;
  std::vector<EntryId> free_;                       // with room for all numbers
  std::unordered_map<std::uint64_t, EntryId> ids_;  // by fingerprint
  std::unique_ptr<Policy> policy_;
};

}  // namespace larder::policy
