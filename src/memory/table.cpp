#include "memory/table.hpp"

#include <algorithm>
#include <bit>

namespace larder::memory {

void Table::fit(std::size_t entries) {
  if (entries * 4 <= cells_.size() * 3) return;
  std::vector<Cell> old(std::max<std::size_t>(std::bit_ceil(entries * 4 / 3 + 1), 16));
  old.swap(cells_);
  for (const Cell& cell : old) {
    if (cell.id != k_none) insert(cell.tag, cell.id, cell.value);
  }
}

void Table::insert(std::uint32_t tag, EntryId id, const void* value) noexcept {
  std::size_t i = tag & mask();
  while (cells_[i].id != k_none) i = (i + 1) & mask();
  cells_[i] = {tag, id, value};
}

void Table::erase(std::uint32_t tag, EntryId id) noexcept {
  std::size_t hole = tag & mask();
  while (cells_[hole].id != id) hole = (hole + 1) & mask();
  // Move back every following cell whose way from home leads over the hole: no lookup then ends early.
  for (std::size_t i = (hole + 1) & mask(); cells_[i].id != k_none; i = (i + 1) & mask()) {
    const std::size_t from_home = (i - cells_[i].tag) & mask();
    const std::size_t from_hole = (i - hole) & mask();
    if (from_home < from_hole) continue;
    cells_[hole] = cells_[i];
    hole = i;
  }
  cells_[hole] = Cell{};
}

}  // namespace larder::memory
