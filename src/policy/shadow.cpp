#include "policy/shadow.hpp"

namespace larder::policy {

Shadow::Shadow(Make make, std::uint64_t capacity) : capacity_(capacity), policy_(make(*this, capacity)) {}

bool Shadow::request(const Traits& traits) {
  if (const auto found = ids_.find(traits.fingerprint); found != ids_.end()) {
    std::uint8_t& hits = in_[found->second].hits;
    if (hits < k_hits_max) ++hits;
    if (policy_->samples(traits.fingerprint)) policy_->hit(found->second);
    return true;
  }
  if (traits.weight > capacity_) return false;
  if (free_.empty()) {
    if (in_.size() == in_.capacity()) in_.reserve(2 * in_.size() + 16);
    free_.reserve(in_.capacity());
    in_.emplace_back();
    free_.push_back(static_cast<EntryId>(in_.size() - 1));
  }
  const EntryId id = free_.back();
  in_[id] = {traits, 0};
  policy_->fit(id);
  ids_.emplace(traits.fingerprint, id);
  free_.pop_back();
  policy_->insert(id);
  return false;
}

void Shadow::leaves(EntryId id) noexcept {
  ids_.erase(in_[id].traits.fingerprint);
  free_.push_back(id);
}

}  // namespace larder::policy
