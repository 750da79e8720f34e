#include "policy/two_gate.hpp"

#include <algorithm>
#include <new>

namespace larder::policy {

namespace {

// "Of late": what is older than so many sampled requests counts for little.
constexpr double k_kept = 1 - 1 / 2048.0;
// A lead that is smaller than this part of the cost that was asked for changes nothing.
constexpr double k_margin = 0.003;
// What a change adds to that is forgotten after so many sampled requests.
constexpr double k_reluctance_kept = 1 - 1 / 65536.0;
constexpr double k_reluctance_max = 100;
// The sample is halved when the shadows would hold more entries than that. But however large the cache is, one key in
// 2^6 is sampled: what is to be learnt has to be learnt before the work is done.
constexpr std::size_t k_shadow_entries_max = 512;
constexpr unsigned k_part_log2_max = 6;
// Which keys are sampled is told by bits that neither tables nor sketches choose by.
constexpr unsigned k_sampled_shift = 20;

}  // namespace

TwoGate::TwoGate(Entries& entries, std::uint64_t capacity) : entries_(entries), main_(entries, capacity, Gate::shut) {
  arms_.push_back(std::make_unique<Arm>(Gate::open, make_gated<Gate::open>, capacity));
  arms_.push_back(std::make_unique<Arm>(Gate::recent, make_gated<Gate::recent>, capacity));
  arms_.push_back(std::make_unique<Arm>(Gate::shut, make_gated<Gate::shut>, capacity));
  arms_.push_back(std::make_unique<Arm>(Gate::narrow, make_gated<Gate::narrow>, capacity));
  sample_part(0);
}

void TwoGate::insert(EntryId id) noexcept {
  const Traits traits = entries_.traits(id);
  if (samples(traits.fingerprint)) duel(traits);
  main_.insert(id);
  if (main_.size() > k_shadow_entries_max << part_log2_ && part_log2_ < k_part_log2_max) sample_part(part_log2_ + 1);
}

void TwoGate::resize(std::uint64_t capacity) noexcept {
  main_.resize(capacity);
  sample_part(part_log2_);
}

void TwoGate::duel(const Traits& traits) noexcept {
  const Arm* best = nullptr;
  const Arm* in_force = nullptr;
  for (const auto& arm : arms_) {
    bool hit = false;
    try {
      hit = arm->shadow.request(traits);
    } catch (const std::bad_alloc&) {
      return;
    }
    arm->saved = arm->saved * k_kept + (hit ? traits.cost : 0);
    if (best == nullptr || arm->saved > best->saved) best = arm.get();
    if (arm->gate == main_.gate()) in_force = arm.get();
  }
  asked_ = asked_ * k_kept + traits.cost;
  reluctant_ = 1 + (reluctant_ - 1) * k_reluctance_kept;
  if (best->saved - in_force->saved <= k_margin * reluctant_ * asked_) return;
  main_.set_gate(best->gate);
  reluctant_ = std::min(2 * reluctant_, k_reluctance_max);
}

void TwoGate::sample_part(unsigned part_log2) noexcept {
  const std::uint64_t capacity = std::max<std::uint64_t>(1, main_.capacity() >> part_log2);
  const std::uint64_t unsampled = ((std::uint64_t{1} << part_log2) - 1) << k_sampled_shift;
  for (const auto& arm : arms_) {
    arm->shadow.shrink(capacity, [unsampled](std::uint64_t fingerprint) { return (fingerprint & unsampled) == 0; });
  }
  part_log2_ = part_log2;
  sample(unsampled);
}

std::unique_ptr<Policy> make_two_gate(Entries& entries, std::uint64_t capacity) {
  return std::make_unique<TwoGate>(entries, capacity);
}

}  // namespace larder::policy
