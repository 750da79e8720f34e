// What Two-Gate (policy/two_gate.hpp) consists of: entries ordered by what they are worth for each byte, behind a gate.
//
// An entry's value is how often its key was asked for of late, times its cost; its density is its value for each byte.
// Entries wait in queues, first in, first out, one for each power of two of density. L is GreedyDual's inflation (Cao
// and Irani, "Cost-Aware WWW Proxy Caching Algorithms", USITS 1997): the next victim is, of the oldest entries of all
// queues, the one of the least L when it was queued + 2^queue, and L rises to what the last victim had. One that was
// hit since is no victim, but queued anew. So the order is that of GreedyDual-Size-Frequency within a factor of two,
// without a heap, and a hit moves nothing.
//
// A new entry waits in a *window*, a hundredth of the capacity, first in, first out. When it comes out of it, the gate
// is
//   open    it stays, and victims make room for it;
//   recent  the same, and how often keys were asked for counts for nothing: what is in use stays for that (CLOCK);
//   shut    it stays if its value is above that of the victims that make room for it together (TinyLFU, by value);
//   narrow  the same, but the request that brought it does not count. In a loop, a victim is about to be asked for once
//           more, too: a shut gate lets in what displaces the very entry that is next, and that then does the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "policy/policy.hpp"
#include "policy/queues.hpp"
#include "policy/sketch.hpp"

namespace larder::policy {

enum class Gate : std::uint8_t { open, recent, shut, narrow };

class Gated final : public Policy {
 public:
  // Densities from 2^-64 to 2^63; what is beyond is in the first or the last queue.
  static constexpr int k_density_log2_min = -64;
  static constexpr std::size_t k_densities = 128;

  Gated(Entries& entries, std::uint64_t capacity, Gate gate);

  void fit(EntryId id) override;
  void insert(EntryId id) noexcept override;
  void erase(EntryId id) noexcept override;
  bool evict() noexcept override;
  void resize(std::uint64_t capacity) noexcept override;
  void hit(EntryId /*id*/) noexcept override {}
  void check(std::size_t entries) const override;

  [[nodiscard]] Gate gate() const noexcept { return gate_; }
  void set_gate(Gate gate) noexcept { gate_ = gate; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

 private:
  static constexpr int k_last = k_densities - 1;
  static constexpr std::size_t k_window = k_densities;  // the window's queue
  static constexpr std::uint8_t k_nowhere = 255;
  static constexpr std::uint64_t k_window_part = 100;

  struct Node {
    double inflation = 0;  // L when it was queued
    std::uint8_t queue = k_nowhere;
  };
  struct Victim {
    EntryId id;
    double priority;
  };

  // With as many of the requests that were counted left out.
  [[nodiscard]] double value(const Traits& traits, int less = 0) const;
  void queue(EntryId id, const Traits& traits);
  void unqueue(EntryId id);
  // The one that leaves next; those that were hit are queued anew on the way.
  std::optional<Victim> victim();
  // Makes `id`, which is in no queue any more, leave.
  void leave(EntryId id);
  void evict(const Victim& victim);
  // Decides on an entry that came out of the window; `crowded`: if it stays, another one leaves in any case.
  void settle(EntryId id, bool crowded);
  [[nodiscard]] bool full() const noexcept { return weight_ > capacity_; }
  [[nodiscard]] std::uint64_t window_max() const noexcept { return capacity_ / k_window_part; }

  Entries& entries_;
  std::uint64_t capacity_;
  Gate gate_;
  Queues<k_densities + 1> queues_;
  std::array<std::uint64_t, k_densities / 64> filled_{};  // the queues that are not empty
  std::vector<Node> nodes_;
  Sketch sketch_;
  double inflation_ = 0;
  std::uint64_t weight_ = 0;
  std::uint64_t window_weight_ = 0;
  std::size_t size_ = 0;
};

template <Gate gate>
[[nodiscard]] std::unique_ptr<Policy> make_gated(Entries& entries, std::uint64_t capacity) {
  return std::make_unique<Gated>(entries, capacity, gate);
}

}  // namespace larder::policy
