// Who pins: which processes map segments of a store, and how much of its limit they hold by that. Seen from outside, by
// what the system tells of processes: a pin is a lock, and a lock does not say who holds it.
//
// A mapping is held by a handle on a value, or idle: that cannot be told from outside. Idle ones are given up within
// about a second when somebody is short of room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/control.hpp"

namespace larder::store {

struct Holder {
  pid_t pid = 0;
  std::string command;
  std::uint64_t bytes = 0;  // of the segments that it maps
  std::uint64_t gone = 0;   // of these what was reclaimed: its room comes back when nobody maps it
};

struct Holders {
  std::vector<Holder> list;    // who holds most of what is gone comes first
  std::uint64_t bytes = 0;     // of all segments that are mapped by anybody, each counted once
  std::uint64_t gone = 0;      // of these what was reclaimed
  std::size_t unreadable = 0;  // processes that may not be looked into
};

// REQUIRES: paths.root without links.
[[nodiscard]] Holders find_holders(const Paths& paths, const Control& control);

// "2 processes hold 14 MiB of values, 4 MiB of them replaced or evicted: 4711 python3 (14 MiB), 4712 fit (2 MiB)"
[[nodiscard]] std::string describe(const Holders& holders);

}  // namespace larder::store
