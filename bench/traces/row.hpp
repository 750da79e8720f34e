// What is known of a cell: a trace at a capacity under a cost model.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>

namespace bench {

struct Ratios {
  double hit = 0;
  double byte_hit = 0;
  double cost_saved = 0;
};

struct Cell {
  std::string trace;
  std::uint64_t capacity = 0;
  std::string model;                              // native, prop, logn or unit: docs/reference/trace-format.md
  auto operator<=>(const Cell&) const = default;  // NOLINT(modernize-use-nullptr): the tool is mistaken
};

// Ratios for each policy.
using ByPolicy = std::map<std::string, Ratios>;

struct Row {
  Cell cell;
  std::uint64_t requests = 0;
  double entries = 0;      // of the trace's mean size, that the capacity holds
  unsigned per_mille = 0;  // that the capacity is of all values of the trace; 0 if it is none of those in k_per_mille
  ByPolicy measured;       // by k_two_gate and so on
  ByPolicy references;     // what others were measured to reach, and what they call themselves
};

inline constexpr unsigned k_per_mille[] = {1, 10, 50, 100, 200, 400};

// What is measured.
inline constexpr const char* k_two_gate = "two-gate";
inline constexpr const char* k_two_gate_threads = "two-gate, many threads";
inline constexpr const char* k_s3_fifo = "s3-fifo";
inline constexpr const char* k_lru = "lru";

}  // namespace bench
