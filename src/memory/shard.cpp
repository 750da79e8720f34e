#include "memory/shard.hpp"

#include <stdexcept>
#include <utility>

namespace larder::memory {

Shard::~Shard() {
  for_each([this](EntryId id) { static_cast<void>(slab_.take(id)); });
}

EntryId Shard::hold(Record&& record) {
  table_.fit(slab_.size() + 1);
  const EntryId next = slab_.next();
  if (notes_.size() <= next) notes_.resize(std::size_t{next} + 1);
  notes_[next] = 0;
  return slab_.put(std::move(record));
}

void Shard::show(EntryId id) noexcept {
  const Record& record = slab_[id];
  table_.insert(tag(record.key.fingerprint()), id, record.entry.value.get());
}

void Shard::hide(EntryId id) noexcept {
  table_.erase(tag(slab_[id].key.fingerprint()), id);
}

std::vector<Record> Shard::copies() const {
  std::vector<Record> records;
  records.reserve(size());
  for_each([&](EntryId id) { records.push_back(slab_[id]); });
  return records;
}

void Shard::check() const {
  table_.for_each([&](std::uint32_t cell_tag, EntryId id) {
    const Record& record = slab_[id];
    if (tag(record.key.fingerprint()) != cell_tag) throw std::logic_error("Shard: an entry is under another's tag");
    if (find(record.key) != id) throw std::logic_error("Shard: an entry is not found by its key");
  });
}

}  // namespace larder::memory
