#include "policy/s3_fifo.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>

namespace larder::policy {

namespace {

constexpr std::uint64_t k_small_part = 10;

}  // namespace

S3Fifo::S3Fifo(Entries& entries, std::uint64_t capacity) : entries_(entries), capacity_(capacity) {}

void S3Fifo::fit(EntryId id) {
  if (nodes_.size() <= id) nodes_.resize(std::size_t{id} + 1);
  queues_.fit(id);
}

void S3Fifo::insert(EntryId id) noexcept {
  const Traits traits = entries_.traits(id);
  // Room first: the entry itself never leaves.
  while (weight() + traits.weight > capacity_ && evict()) continue;
  const bool returns = ghost_numbers_.erase(traits.fingerprint) != 0;
  push(returns ? k_main : k_small, id, traits.weight);
  ++size_;
}

void S3Fifo::erase(EntryId id) noexcept {
  unqueue(id, entries_.traits(id).weight);
  --size_;
}

bool S3Fifo::evict() noexcept {
  const std::size_t before = size_;
  while (size_ == before && size_ != 0) {
    const bool small = weights_[k_small] > capacity_ / k_small_part || queues_.empty(k_main);
    small && !queues_.empty(k_small) ? take_small() : take_main();
  }
  return size_ != before;
}

void S3Fifo::resize(std::uint64_t capacity) noexcept {
  capacity_ = capacity;
  while (weight() > capacity_ && evict()) continue;
}

void S3Fifo::take_small() {
  const EntryId id = queues_.oldest(k_small);
  const Traits traits = entries_.traits(id);
  const std::uint8_t hits = entries_.take_hits(id);
  unqueue(id, traits.weight);
  if (hits != 0) return push(k_main, id, traits.weight);
  remember(traits);
  leave(id);
}

void S3Fifo::take_main() {
  const EntryId id = queues_.oldest(k_main);
  const Traits traits = entries_.traits(id);
  const int credit = std::min<int>(nodes_[id].credit + entries_.take_hits(id), Entries::k_hits_max);
  unqueue(id, traits.weight);
  if (credit == 0) return leave(id);
  push(k_main, id, traits.weight);
  nodes_[id].credit = static_cast<std::uint8_t>(credit - 1);
}

void S3Fifo::push(Where where, EntryId id, std::uint64_t weight) {
  nodes_[id] = {where, 0};
  queues_.push(where, id);
  weights_[where] += weight;
}

void S3Fifo::unqueue(EntryId id, std::uint64_t weight) {
  const Where where = nodes_[id].where;
  queues_.erase(where, id);
  weights_[where] -= weight;
}

void S3Fifo::leave(EntryId id) {
  --size_;
  entries_.leaves(id);
}

void S3Fifo::remember(const Traits& traits) {
  const std::uint64_t number = forgotten_ + ghosts_.size();
  try {
    ghosts_.push_back({traits.fingerprint, traits.weight});
    ghost_weight_ += traits.weight;
    ghost_numbers_[traits.fingerprint] = number;
  } catch (const std::bad_alloc&) {
    // It will come back as one that nobody knows.
  }
  while (ghost_weight_ > capacity_ - capacity_ / k_small_part) {
    const Ghost& oldest = ghosts_.front();
    ghost_weight_ -= oldest.weight;
    const auto known = ghost_numbers_.find(oldest.fingerprint);
    if (known != ghost_numbers_.end() && known->second == forgotten_) ghost_numbers_.erase(known);
    ghosts_.pop_front();
    ++forgotten_;
  }
}

void S3Fifo::check(std::size_t entries) const {
  if (size_ != entries) throw std::logic_error("S3Fifo: counts another number of entries than its container");
  std::size_t seen = 0;
  for (const Where where : {k_small, k_main}) {
    seen += queues_.check(where);
    std::uint64_t weight = 0;
    for (EntryId id = queues_.oldest(where); id != Queues<1>::k_none; id = queues_.younger(id)) {
      if (nodes_[id].where != where) throw std::logic_error("S3Fifo: an entry is in another queue than it says");
      weight += entries_.traits(id).weight;
    }
    if (weight != weights_[where]) throw std::logic_error("S3Fifo: a queue's weight is wrong");
  }
  if (seen != size_) throw std::logic_error("S3Fifo: the queues lost an entry");
  if (weight() > capacity_) throw std::logic_error("S3Fifo: over the capacity");
}

std::unique_ptr<Policy> make_s3_fifo(Entries& entries, std::uint64_t capacity) {
  return std::make_unique<S3Fifo>(entries, capacity);
}

}  // namespace larder::policy
