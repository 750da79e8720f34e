// What a segment's file says by itself, without the segment table and the index: for a rebuild, and to see which
// records there are at all.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "store/control.hpp"

namespace larder::store {

struct Salvaged {
  std::uint64_t id = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t committed = 0;      // end of the last valid record
  std::uint64_t last_sequence = 0;  // as in the segment table, if a footer says it
  bool single = false;
  std::vector<FooterItem> items;  // values, in the order in which they were written; at least one
};

// Reads the footer, or walks the records where there is none. Nothing if the file is no segment of the store, or has
// no record. Errors are the system's.
Result<std::optional<Salvaged>> salvage(const Paths& paths, const Control& control, std::uint64_t id);

}  // namespace larder::store
