// What other policies were measured to reach on the same traces: reference.csv and reference_cost.csv beside them.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "row.hpp"

namespace bench {

using References = std::map<Cell, ByPolicy>;

// reference.csv has the cells of the model `unit`, reference_cost.csv those of the others. Where two simulators
// disagree, the one counts that admits values of any size.
[[nodiscard]] References read_references(const std::filesystem::path& directory);

// The most that was saved by anything that does not know the future.
struct Best {
  std::string policy;
  double cost_saved = 0;
};
[[nodiscard]] Best best_practical(const ByPolicy& references);

}  // namespace bench
