// From 32 bits of a key's fingerprint to the records that have them: open addressing with linear probing, so that a
// lookup reads one cache line, nearly always. Looking up takes no lock and writes nothing.
//
// A cell also knows where the entry's value is, so that fetching the value from memory begins together with fetching
// the record. An erased cell is filled by what follows it; a lookup that did not find its record while that went on
// looks again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "memory/record.hpp"

namespace larder::memory {

class alignas(64) Table {
 public:
  // The first record under `tag` for which `same(record)` holds, or null. Thread-safe; whether it is in sight a moment
  // later is for the caller to see to (memory/readers.hpp).
  template <class Same>
  [[nodiscard]] const Record* find(std::uint32_t tag, const Same& same) const;

  // --- for one thread at a time ---

  // Cells that lookups may still be reading: to be destroyed when those have ended.
  class Cells;
  using Old = std::unique_ptr<const Cells>;

  Table() = default;
  ~Table() { static_cast<void>(release()); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Makes room for one record more; what was in use before, if that was too little. Takes 32 bytes of memory traffic
  // for each record then, and looks at none. If there is no memory, std::bad_alloc.
  [[nodiscard]] Old fit();
  // REQUIRES: there is room.
  void insert(std::uint32_t tag, const Record& record) noexcept;
  // REQUIRES: the record is in under `tag`.
  void erase(std::uint32_t tag, const Record& record) noexcept;
  // `with` takes its place, at once. REQUIRES: the record is in under `tag`.
  void replace(std::uint32_t tag, const Record& record, const Record& with) noexcept;
  // Gives the memory back. REQUIRES: nothing is in.
  [[nodiscard]] Old release() noexcept { return Old(cells_.exchange(nullptr)); }

  // Calls `visit(tag, record)` for every record, in no order.
  template <class Visit>
  void for_each(const Visit& visit) const;

 private:
  // An address has no more bits in user space, and so leaves room for half of a tag.
  static constexpr unsigned k_address_bits = 48;
  static constexpr unsigned k_tag_bits = 16;

  struct Cell {
    std::atomic<std::uint64_t> record{0};  // and the upper half of its tag; 0: none
    std::atomic<std::uint64_t> value{0};   // and the lower half; never read, only fetched ahead
  };

  static std::uint64_t word(std::uint32_t half_tag, const void* address) noexcept {
    return std::uint64_t{half_tag} << k_address_bits | reinterpret_cast<std::uintptr_t>(address);
  }
  static std::uint32_t tag_of(std::uint64_t record, std::uint64_t value) noexcept {
    return static_cast<std::uint32_t>(record >> k_address_bits << k_tag_bits | value >> k_address_bits);
  }
  template <class T>
  static T* address(std::uint64_t word) noexcept {
    return reinterpret_cast<T*>(word & ((std::uint64_t{1} << k_address_bits) - 1));
  }
  [[nodiscard]] Cell& cell_of(std::uint32_t tag, const Record& record) const noexcept;

  std::atomic<Cells*> cells_{nullptr};
  std::atomic<std::uint32_t> moves_{0};  // odd while cells move
  std::size_t size_ = 0;
};

// So many that at most three quarters are taken, and a power of two.
class Table::Cells {
 public:
  explicit Cells(std::size_t count) : mask(count - 1), first(std::make_unique<Cell[]>(count)) {}

  [[nodiscard]] std::uint32_t tag(std::size_t i) const noexcept {
    return tag_of(first[i].record.load(std::memory_order_relaxed), first[i].value.load(std::memory_order_relaxed));
  }
  // The next cell of `tag` that is free. REQUIRES: there is one.
  [[nodiscard]] Cell& free_cell(std::uint32_t tag) const noexcept {
    std::size_t i = tag & mask;
    while (first[i].record.load(std::memory_order_relaxed) != 0) i = (i + 1) & mask;
    return first[i];
  }

  const std::size_t mask;
  const std::unique_ptr<Cell[]> first;
};

template <class Same>
const Record* Table::find(std::uint32_t tag, const Same& same) const {
  while (true) {
    const std::uint32_t moves = moves_.load();
    if (const Cells* cells = cells_.load(); cells != nullptr) {
      for (std::size_t i = tag & cells->mask;; i = (i + 1) & cells->mask) {
        const std::uint64_t word = cells->first[i].record.load();
        if (word == 0) break;
        const std::uint64_t value = cells->first[i].value.load(std::memory_order_relaxed);
        if (tag_of(word, value) != tag) continue;
        __builtin_prefetch(address<void>(value), 1);  // its count of owners, which a hit raises, is beside it
        if (const auto* record = address<const Record>(word); same(*record)) return record;
      }
    }
    if (moves % 2 == 0 && moves_.load() == moves) return nullptr;
  }
}

template <class Visit>
void Table::for_each(const Visit& visit) const {
  const Cells* cells = cells_.load();
  for (std::size_t i = 0; cells != nullptr && i <= cells->mask; ++i) {
    if (cells->first[i].record != 0) visit(cells->tag(i), *address<const Record>(cells->first[i].record));
  }
}

}  // namespace larder::memory
