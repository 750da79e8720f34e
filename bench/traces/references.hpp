// What other policies were measured to reach on the same traces: reference.csv and reference_cost.csv beside them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace bench {

// A ratio for each policy, by trace and capacity.
using Cell = std::pair<std::string, std::uint64_t>;
using References = std::map<Cell, std::map<std::string, double>>;

// Hit ratios. Where two simulators disagree, the one that admits values of any size.
[[nodiscard]] References read_hit_ratios(const std::filesystem::path& directory);
// Cost-saved ratios under that cost model.
[[nodiscard]] References read_cost_saved(const std::filesystem::path& directory, const std::string& model);

// The best that was reached by anything that does not know the future.
struct Best {
  std::string policy;
  double ratio = 0;
};
[[nodiscard]] Best best_practical(const std::map<std::string, double>& by_policy);

}  // namespace bench
