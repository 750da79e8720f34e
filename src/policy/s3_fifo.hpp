// S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, "FIFO Queues are All You Need for Cache Eviction", SOSP 2023): a small
// queue of new entries, a tenth of the capacity, a main queue, and *ghosts*, keys of what the small queue let go.
// Promoted is what was hit once in the small queue, not twice as in the paper: measured better on the traces of
// bench/traces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "policy/policy.hpp"
#include "policy/queues.hpp"

namespace larder::policy {

class S3Fifo final : public Policy {
 public:
  S3Fifo(Entries& entries, std::uint64_t capacity);

  void fit(EntryId id) override;
  void insert(EntryId id) noexcept override;
  void erase(EntryId id) noexcept override;
  bool evict() noexcept override;
  void resize(std::uint64_t capacity) noexcept override;
  void hit(EntryId /*id*/) noexcept override {}
  void check(std::size_t entries) const override;

 private:
  enum Where : std::uint8_t { k_small, k_main };
  // An entry of the main queue passes its end as often as it was hit.
  struct Node {
    Where where = k_small;
    std::uint8_t credit = 0;
  };
  struct Ghost {
    std::uint64_t fingerprint;
    std::uint64_t weight;
  };

  void push(Where where, EntryId id, std::uint64_t weight);
  void unqueue(EntryId id, std::uint64_t weight);
  void leave(EntryId id);
  // Takes the oldest of that queue: it leaves, or it goes on in the main queue.
  void take_small();
  void take_main();
  void remember(const Traits& traits);
  [[nodiscard]] std::uint64_t weight() const noexcept { return weights_[k_small] + weights_[k_main]; }

  Entries& entries_;
  std::uint64_t capacity_;
  Queues<2> queues_;
  std::vector<Node> nodes_;
  std::uint64_t weights_[2] = {0, 0};
  std::size_t size_ = 0;

  // Ghosts weigh what they weighed, at most as much as the main queue may.
  std::deque<Ghost> ghosts_;  // oldest first, numbered from forgotten_ on
  std::uint64_t forgotten_ = 0;
  std::uint64_t ghost_weight_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> ghost_numbers_;  // by fingerprint, of the last one
};

}  // namespace larder::policy
