// From 32 bits of a key's fingerprint to the numbers of the entries that have them: open addressing with
// linear probing, so that a lookup reads one cache line, nearly always. A cell also knows where the
// entry's value is, so that fetching the value from memory begins together with fetching the record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "policy/policy.hpp"

namespace larder::memory {

using policy::EntryId;

// Not thread-safe. Growing copies all cells, without looking at entries: 32 bytes of memory traffic each.
class Table {
 public:
  static constexpr EntryId k_none = UINT32_MAX;

  // The first entry under `tag` for which `same(id)` holds, or k_none.
  template <class Same>
  [[nodiscard]] EntryId find(std::uint32_t tag, const Same& same) const {
    if (cells_.empty()) return k_none;
    for (std::size_t i = tag & mask(); cells_[i].id != k_none; i = (i + 1) & mask()) {
      if (cells_[i].tag != tag) continue;
      __builtin_prefetch(cells_[i].value, 1);  // its count of owners, which a hit raises, is beside it
      if (same(cells_[i].id)) return cells_[i].id;
    }
    return k_none;
  }

  // Makes room for so many entries.
  void fit(std::size_t entries);
  // `value` is never read, only fetched ahead. REQUIRES: there is room.
  void insert(std::uint32_t tag, EntryId id, const void* value) noexcept;
  // REQUIRES: `id` is in under `tag`.
  void erase(std::uint32_t tag, EntryId id) noexcept;

  // Calls `visit(tag, id)` for every entry, in no order.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const Cell& cell : cells_) {
      if (cell.id != k_none) visit(cell.tag, cell.id);
    }
  }

 private:
  struct Cell {
    std::uint32_t tag = 0;
    EntryId id = k_none;
    const void* value = nullptr;
  };

  [[nodiscard]] std::size_t mask() const { return cells_.size() - 1; }

  std::vector<Cell> cells_;  // none, or a power of two of them, at most three quarters taken
};

}  // namespace larder::memory
