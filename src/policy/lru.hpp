// Least recently used, with lazy promotion: a hit moves its entry to the young end of a list only if the
// entry was not moved there recently, because moving writes three cache lines and most hits are to
// entries that are young already. The nodes of many entries are not in the processor's caches, so the nodes of all
// hits that come together are fetched together.
//
// Recently means: less than n/8 ticks ago, n entries being in. What that guarantees:
//   (1) The list is sorted by the tick of the last move, and an entry's last use is less than n/8 ticks
//       younger than its last move, n being the largest number of entries there was.
//   (2) Hence no entry was last used n/8 ticks or more before the victim was: the victim is the least
//       recently used entry up to an eighth of a turnover.
//   (3) With fewer than 16 entries the order is exactly LRU, provided that every use has a tick of its own.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "policy/policy.hpp"

namespace larder::policy {

class Lru final : public Policy {
 public:
  void inserted(EntryId id, const Traits& traits, Tick now) override;
  void hit(std::span<const Hit> hits) override;
  void erased(EntryId id) override;
  [[nodiscard]] std::optional<Victim> victim() const override;
  void check(std::size_t entries) const override;

 private:
  // A hit is recent within this part of the number of entries.
  static constexpr std::size_t k_recent_part = 8;

  // Entry `id` is nodes_[id + 1]; nodes_[0] closes the ring between the youngest and the oldest.
  struct Node {
    Tick moved = 0;
    std::uint32_t younger = 0;
    std::uint32_t older = 0;
  };

  [[nodiscard]] bool is_recent(const Hit& hit) const {
    return hit.now - nodes_[hit.id + 1].moved < size_ / k_recent_part;
  }
  void link_youngest(std::uint32_t index, Tick now);
  void unlink(std::uint32_t index);

  std::vector<Node> nodes_{1};
  std::size_t size_ = 0;
};

}  // namespace larder::policy
