// Two-Gate: the policy of the memory tier. Entries are ordered by what they are worth for each byte (policy/gated.hpp);
// how much a new one has to be worth is decided by a duel: for each gate there is a *shadow*, a small cache without
// values, which is fed with a sample of the requests, and the gate in force is that of the shadow that saved the most
// cost of late. So the worst cases of all are avoided: loops and scans, where an open gate keeps nothing long enough;
// and work that moves on, where a shut one keeps what is not asked for any more. (The name is from when
// there were two.)
//
// Where each gate is ahead for some time, in turn, setting the gate is always too late, and worse than leaving it. So
// the lead that it takes doubles with each change, and comes down slowly.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "policy/gated.hpp"
#include "policy/policy.hpp"
#include "policy/shadow.hpp"

namespace larder::policy {

class TwoGate final : public Policy {
 public:
  TwoGate(Entries& entries, std::uint64_t capacity);

  void fit(EntryId id) override { main_.fit(id); }
  void insert(EntryId id) noexcept override;
  void erase(EntryId id) noexcept override { main_.erase(id); }
  bool evict() noexcept override { return main_.evict(); }
  void resize(std::uint64_t capacity) noexcept override;
  void hit(EntryId id) noexcept override { duel(entries_.traits(id)); }
  void check(std::size_t entries) const override { main_.check(entries); }

 private:
  // Feeds the shadows, and sets the gate. Without memory for that it stays as it is.
  void duel(const Traits& traits) noexcept;
  // From here on one key in 2^part_log2 is in the sample, and the shadows are as much smaller than the cache.
  void sample_part(unsigned part_log2) noexcept;

  // A gate, and what it would have saved.
  struct Arm {
    Arm(Gate its_gate, Make make, std::uint64_t capacity) : gate(its_gate), shadow(make, capacity) {}
    const Gate gate;
    Shadow shadow;
    double saved = 0;  // of the cost of what was asked for, of late
  };

  Entries& entries_;
  Gated main_;
  unsigned part_log2_ = 0;
  std::vector<std::unique_ptr<Arm>> arms_;
  double asked_ = 0;      // the cost of what was asked for, of late
  double reluctant_ = 1;  // times the lead that a change takes
};

}  // namespace larder::policy
