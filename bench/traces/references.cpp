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

References read_references(const std::filesystem::path& directory) {
  using Fields = std::map<std::string, std::string>;
  References all;
  for_each_row(directory / "reference.csv", [&](Fields& row) {
    ByPolicy& cell = all[{row["trace"], std::stoull(row["cache_size"]), "unit"}];
    const bool any_size = row["sim"] == "P";
    if (!any_size && cell.contains(row["policy"])) return;
    const double hit_ratio = std::stod(row["hit_ratio"]);
    // Left out where every size is 1.
    const double byte_hit_ratio = row["byte_hit_ratio"].empty() ? hit_ratio : std::stod(row["byte_hit_ratio"]);
    cell[row["policy"]] = {hit_ratio, byte_hit_ratio, hit_ratio};
  });
  for_each_row(directory / "reference_cost.csv", [&](Fields& row) {
    all[{row["trace"], std::stoull(row["cache_size"]), row["cost_model"]}][row["policy"]] = {
        std::stod(row["hit_ratio"]), std::stod(row["byte_hit_ratio"]), std::stod(row["cost_saved"])};
  });
  return all;
}

Best best_practical(const ByPolicy& references) {
  Best best;
  for (const auto& [policy, ratios] : references) {
    const bool knows_future = policy.starts_with("belady") || policy.starts_with("bound");
    if (!knows_future && ratios.cost_saved > best.cost_saved) best = {policy, ratios.cost_saved};
  }
  return best;
}

}  // namespace bench
