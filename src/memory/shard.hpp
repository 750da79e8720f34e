// A part of the memory tier: the entries whose fingerprints fall to it, and the table that finds them. It knows neither
// limits nor other shards, nor who should leave.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "memory/memory.hpp"
#include "memory/slab.hpp"
#include "memory/table.hpp"

namespace larder::memory {

// Two cache lines: the first is compared, the second handed out.
struct alignas(64) Record {
  Key key;
  Entry entry;
};
static_assert(sizeof(Record) == 128, "k_entry_overhead was measured with this");

// A record has a *place*, from hold() to take(), and is *shown*, that is found, or not. Not thread-safe: its owner
// locks.
class Shard {
 public:
  static constexpr EntryId k_none = Table::k_none;

  Shard() = default;
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  Shard(Shard&&) noexcept = default;
  Shard& operator=(Shard&&) noexcept = default;

  // The entry of `key`, compared in full, or k_none.
  [[nodiscard]] EntryId find(const Key& key) const {
    return table_.find(tag(key.fingerprint()), [&](EntryId id) {
      const Record& record = slab_[id];
      __builtin_prefetch(&record.entry);
      return record.key == key;
    });
  }
  [[nodiscard]] const Record& operator[](EntryId id) const { return slab_[id]; }

  // A place for the record, and room to show it. If there is no memory, everything stays as it was, `record` too.
  [[nodiscard]] EntryId hold(Record&& record);
  // REQUIRES: there is none shown of that key.
  void show(EntryId id) noexcept;
  void hide(EntryId id) noexcept;
  // REQUIRES: it is not shown.
  [[nodiscard]] Record take(EntryId id) noexcept { return slab_.take(id); }

  // Of a record that is shown: a number for the owner's use, 0 when it came.
  [[nodiscard]] std::uint32_t& note(EntryId id) { return notes_[id]; }

  // Records that have a place.
  [[nodiscard]] std::size_t size() const { return slab_.size(); }
  // Of those that are shown.
  [[nodiscard]] std::vector<Record> copies() const;
  template <class Visit>
  void for_each(const Visit& visit) const {
    table_.for_each([&](std::uint32_t, EntryId id) { visit(id); });
  }

  // Throws std::logic_error, saying what, unless table and records agree.
  void check() const;

 private:
  static std::uint32_t tag(const Digest& fingerprint) { return static_cast<std::uint32_t>(fingerprint.low); }

  Table table_;
  Slab<Record> slab_;
  std::vector<std::uint32_t> notes_;
};

}  // namespace larder::memory
