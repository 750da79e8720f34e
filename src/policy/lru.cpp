#include "policy/lru.hpp"

#include <stdexcept>

namespace larder::policy {

void Lru::inserted(EntryId id, const Traits& /*traits*/, Tick now) {
  if (nodes_.size() < std::size_t{id} + 2) nodes_.resize(std::size_t{id} + 2);
  link_youngest(id + 1, now);
  ++size_;
}

void Lru::hit(std::span<const Hit> hits) {
  for (const Hit& hit : hits) __builtin_prefetch(&nodes_[hit.id + 1], 1);
  for (const Hit& hit : hits) {
    if (is_recent(hit)) continue;
    __builtin_prefetch(&nodes_[nodes_[hit.id + 1].older], 1);
    __builtin_prefetch(&nodes_[nodes_[hit.id + 1].younger], 1);
  }
  for (const Hit& hit : hits) {
    if (is_recent(hit)) continue;
    unlink(hit.id + 1);
    link_youngest(hit.id + 1, hit.now);
  }
}

void Lru::erased(EntryId id) {
  unlink(id + 1);
  --size_;
}

std::optional<Victim> Lru::victim() const {
  const std::uint32_t oldest = nodes_[0].younger;
  if (oldest == 0) return std::nullopt;
  return Victim{oldest - 1, nodes_[oldest].moved};
}

void Lru::check(std::size_t entries) const {
  if (size_ != entries) throw std::logic_error("Lru: counts another number of entries than its container");
  std::size_t seen = 0;
  std::uint32_t last = 0;
  for (std::uint32_t index = nodes_[0].younger; index != 0; index = nodes_[index].younger) {
    if (nodes_[index].older != last) throw std::logic_error("Lru: the list is not linked both ways");
    if (last != 0 && nodes_[last].moved > nodes_[index].moved) throw std::logic_error("Lru: the list is not sorted");
    if (++seen > entries) throw std::logic_error("Lru: the list holds more entries than came in");
    last = index;
  }
  if (nodes_[0].older != last || seen != entries) throw std::logic_error("Lru: the list lost an entry");
}

void Lru::link_youngest(std::uint32_t index, Tick now) {
  const std::uint32_t youngest = nodes_[0].older;
  nodes_[index] = {.moved = now, .younger = 0, .older = youngest};
  nodes_[youngest].younger = index;
  nodes_[0].older = index;
}

void Lru::unlink(std::uint32_t index) {
  const Node& node = nodes_[index];
  nodes_[node.older].younger = node.younger;
  nodes_[node.younger].older = node.older;
}

std::unique_ptr<Policy> make_lru() {
  return std::make_unique<Lru>();
}

}  // namespace larder::policy
