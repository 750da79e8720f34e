// The systems that are measured: larder, its peers, and each of their ways that makes a row of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peers/peers.hpp"

namespace bench {

struct System {
  std::string name;
  std::string configuration;
  std::vector<Access> accesses;
  std::string no_gets;  // why it is not asked for gets
  bool ours = false;
  bool python = false;
  // What one process does in a turn at most: slow systems would take hours otherwise.
  std::uint64_t records_max = 1'000'000;
  std::uint64_t puts_max = 1'000'000;
  std::uint64_t gets_max = 1'000'000;
  std::uint64_t value_bytes_max = UINT64_MAX;
  bool one_writer = false;  // only one process can open the store to write
  bool only_paced = false;  // a writer that never pauses overruns it
  // Copies of a value that a process has in memory of its own while it puts or gets it.
  double copies_put = 0;
  double copies_get = 0;
  std::string missing;  // why it cannot run here at all
};

[[nodiscard]] std::vector<System> systems();

// The interpreter and the script that plays the roles of Python systems: see peers/python_caches.py.
inline constexpr const char* k_python = "/usr/bin/python3";
[[nodiscard]] std::string python_script();

}  // namespace bench
