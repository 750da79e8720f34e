#include "policy/lru.hpp"

#include <stdexcept>

namespace larder::policy {

Lru::Lru(Entries& entries, std::uint64_t capacity) : entries_(entries), capacity_(capacity) {
  sample(0);
}

void Lru::fit(EntryId id) {
  queue_.fit(id);
}

void Lru::insert(EntryId id) noexcept {
  weight_ += entries_.traits(id).weight;
  // Room first: the entry itself never leaves.
  while (weight_ > capacity_ && evict()) continue;
  queue_.push(0, id);
  ++size_;
}

void Lru::erase(EntryId id) noexcept {
  queue_.erase(0, id);
  weight_ -= entries_.traits(id).weight;
  --size_;
}

bool Lru::evict() noexcept {
  if (queue_.empty(0)) return false;
  const EntryId id = queue_.oldest(0);
  erase(id);
  entries_.leaves(id);
  return true;
}

void Lru::resize(std::uint64_t capacity) noexcept {
  capacity_ = capacity;
  while (weight_ > capacity_ && evict()) continue;
}

void Lru::hit(EntryId id) noexcept {
  queue_.erase(0, id);
  queue_.push(0, id);
}

void Lru::check(std::size_t entries) const {
  if (size_ != entries) throw std::logic_error("Lru: counts another number of entries than its container");
  if (queue_.check(0) != size_) throw std::logic_error("Lru: the queue lost an entry");
  std::uint64_t weight = 0;
  for (EntryId id = queue_.oldest(0); id != Queues<1>::k_none; id = queue_.younger(id)) {
    weight += entries_.traits(id).weight;
  }
  if (weight != weight_) throw std::logic_error("Lru: the weights do not add up");
  if (weight_ > capacity_) throw std::logic_error("Lru: over the capacity");
}

std::unique_ptr<Policy> make_lru(Entries& entries, std::uint64_t capacity) {
  return std::make_unique<Lru>(entries, capacity);
}

}  // namespace larder::policy
