#include "memory/shard.hpp"

#include <stdexcept>
#include <utility>

namespace larder::memory {

std::uint64_t charge(const Key& key, std::uint64_t value_weight) {
  const std::uint64_t beside = k_entry_overhead + key.outside_bytes();
  return value_weight > UINT64_MAX - beside ? UINT64_MAX : value_weight + beside;
}

Shard::Shard(Clock& clock) : policy_(policy::make_lru()), clock_(clock) {}

Shard::~Shard() {
  static_cast<void>(take_all());
}

void Shard::insert(Record&& record) {
  const Digest fingerprint = record.key.fingerprint();
  const policy::Traits traits{.fingerprint = fingerprint.low,
                              .weight = charge(record.key, record.entry.weight),
                              .cost_ns = record.entry.cost_ns};
  const void* value = record.entry.value.get();
  const EntryId id = slab_.put(std::move(record));
  bool in_table = false;
  try {
    table_.insert(tag(fingerprint), id, value);
    in_table = true;
    tell_hits();
    policy_->inserted(id, traits, now());
  } catch (...) {
    if (in_table) table_.erase(tag(fingerprint), id);
    record = slab_.take(id);
    throw;
  }
}

Record Shard::take(EntryId id) {
  tell_hits();
  policy_->erased(id);
  table_.erase(tag(slab_[id].key.fingerprint()), id);
  return slab_.take(id);
}

std::vector<Record> Shard::copies() const {
  std::vector<Record> records;
  records.reserve(size());
  table_.for_each([&](std::uint32_t, EntryId id) { records.push_back(slab_[id]); });
  return records;
}

std::vector<Record> Shard::take_all() {
  std::vector<Record> records;
  records.reserve(size());
  table_.for_each([&](std::uint32_t, EntryId id) { records.push_back(slab_.take(id)); });
  table_ = Table{};
  slab_ = Slab<Record>{};
  policy_ = policy::make_lru();
  noted_ = 0;
  return records;
}

std::uint64_t Shard::check() const {
  std::uint64_t sum = 0;
  std::size_t found = 0;
  table_.for_each([&](std::uint32_t cell_tag, EntryId id) {
    const Record& record = slab_[id];
    if (tag(record.key.fingerprint()) != cell_tag) throw std::logic_error("Shard: an entry is under another's tag");
    if (find(record.key) != id) throw std::logic_error("Shard: an entry is not found by its key");
    sum += charge(record.key, record.entry.weight);
    ++found;
  });
  if (found != size()) throw std::logic_error("Shard: the table names another number of entries than there are");
  policy_->check(size());
  return sum;
}

}  // namespace larder::memory
