#include "memory/table.hpp"

#include <algorithm>
#include <bit>

namespace larder::memory {

Table::Old Table::fit() {
  const std::size_t records = size_ + 1;
  Cells* const old = cells_.load();
  if (old != nullptr && records * 4 <= (old->mask + 1) * 3) return nullptr;
  auto fresh = std::make_unique<Cells>(std::max<std::size_t>(std::bit_ceil(records * 4 / 3 + 1), 16));
  for (std::size_t i = 0; old != nullptr && i <= old->mask; ++i) {
    if (old->first[i].record == 0) continue;
    Cell& cell = fresh->free_cell(old->tag(i));
    cell.value = old->first[i].value.load();
    cell.record = old->first[i].record.load();
  }
  cells_ = fresh.release();
  return Old(old);
}

void Table::insert(std::uint32_t tag, const Record& record) noexcept {
  Cell& cell = cells_.load()->free_cell(tag);
  cell.value = word(tag & ((1u << k_tag_bits) - 1), record.value.get());
  cell.record = word(tag >> k_tag_bits, &record);
  ++size_;
}

void Table::replace(std::uint32_t tag, const Record& record, const Record& with) noexcept {
  Cell& cell = cell_of(tag, record);
  cell.value = word(tag & ((1u << k_tag_bits) - 1), with.value.get());
  cell.record = word(tag >> k_tag_bits, &with);
}

Table::Cell& Table::cell_of(std::uint32_t tag, const Record& record) const noexcept {
  const Cells& cells = *cells_.load();
  std::size_t i = tag & cells.mask;
  while (address<const Record>(cells.first[i].record) != &record) i = (i + 1) & cells.mask;
  return cells.first[i];
}

void Table::erase(std::uint32_t tag, const Record& record) noexcept {
  const Cells& cells = *cells_.load();
  auto hole = static_cast<std::size_t>(&cell_of(tag, record) - cells.first.get());
  ++moves_;
  // Move back every following cell whose way from home leads over the hole: no lookup then ends early.
  for (std::size_t i = (hole + 1) & cells.mask; cells.first[i].record != 0; i = (i + 1) & cells.mask) {
    const std::size_t from_home = (i - cells.tag(i)) & cells.mask;
    const std::size_t from_hole = (i - hole) & cells.mask;
    if (from_home < from_hole) continue;
    cells.first[hole].value = cells.first[i].value.load();
    cells.first[hole].record = cells.first[i].record.load();
    hole = i;
  }
  cells.first[hole].record = 0;
  ++moves_;
  --size_;
}

}  // namespace larder::memory
