#include "references.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace bench {
namespace {

// The rows of a table without quotes, by the names in its first line.
template <class Visit>
void for_each_row(const std::filesystem::path& path, const Visit& visit) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string() + ": where are the traces and their references?");
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    return cells;
  };
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> names = split(line);
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = split(line);
    std::map<std::string, std::string> row;
    for (std::size_t i = 0; i < std::min(names.size(), cells.size()); ++i) row[names[i]] = cells[i];
    visit(row);
  }
}

}  // namespace

References read_hit_ratios(const std::filesystem::path& directory) {
  References all;
  for_each_row(directory / "reference.csv", [&](std::map<std::string, std::string>& row) {
    auto& cell = all[{row["trace"], std::stoull(row["cache_size"])}];
    const bool any_size = row["sim"] == "P";
    if (any_size || !cell.contains(row["policy"])) cell[row["policy"]] = std::stod(row["hit_ratio"]);
  });
  return all;
}

References read_cost_saved(const std::filesystem::path& directory, const std::string& model) {
  References all;
  for_each_row(directory / "reference_cost.csv", [&](std::map<std::string, std::string>& row) {
    if (row["cost_model"] != model) return;
    all[{row["trace"], std::stoull(row["cache_size"])}][row["policy"]] = std::stod(row["cost_saved"]);
  });
  return all;
}

Best best_practical(const std::map<std::string, double>& by_policy) {
  Best best;
  for (const auto& [policy, ratio] : by_policy) {
    const bool knows_future = policy.starts_with("belady") || policy.starts_with("bound");
    if (!knows_future && ratio > best.ratio) best = {policy, ratio};
  }
  return best;
}

}  // namespace bench
