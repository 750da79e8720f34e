#include "demands.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>

#include "references.hpp"

namespace bench {
namespace {

// The reference implementation of Two-Gate.
constexpr const char* k_reference = "twogate";

// How far below the reference a cell may be. The noise of sampling and hashing is greater where there is little.
double allowed(const Row& row) {
  constexpr std::array k_short_traces = {"lirs-gli", "lirs-ps", "lirs-cs", "lirs-multi1", "vm-io"};
  const bool little = row.entries < 200 || std::ranges::find(k_short_traces, row.cell.trace) != k_short_traces.end();
  return little ? 0.030 : 0.010;
}
// How much further with many threads.
constexpr double k_threads_allowed = 0.005;
constexpr double k_behind_best_max = 0.05;
constexpr double k_mean_behind_best_max = 0.010;

struct SavedAtLeast {
  unsigned per_mille;
  double mean;
};
constexpr std::array k_log_normal_saved = {SavedAtLeast{10, 0.499}, SavedAtLeast{100, 0.708}};

std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string percent(unsigned per_mille) {
  return number("%g %%", per_mille / 10.0);
}

double mean(const std::vector<double>& values) {
  return std::reduce(values.begin(), values.end()) / static_cast<double>(values.size());
}

using Figure = std::function<double(const Row&)>;

double mean_of(const std::vector<Row>& rows, const Figure& figure) {
  std::vector<double> values(rows.size());
  std::ranges::transform(rows, values.begin(), figure);
  return mean(values);
}

// Each trace counts as much as any other, however many capacities it has.
double mean_by_trace(const std::vector<Row>& rows, const Figure& figure) {
  std::map<std::string, std::vector<double>> values;
  for (const Row& row : rows) values[row.cell.trace].push_back(figure(row));
  std::vector<double> means(values.size());
  std::ranges::transform(values, means.begin(), [](const auto& of_trace) { return mean(of_trace.second); });
  return mean(means);
}

std::vector<Row> select(const std::vector<Row>& rows, const std::function<bool(const Row&)>& condition) {
  std::vector<Row> selected;
  std::ranges::copy_if(rows, std::back_inserter(selected), condition);
  return selected;
}

Figure measured(const char* policy) {
  return [policy](const Row& row) { return row.measured.at(policy).cost_saved; };
}

Figure reference(const std::string& policy) {
  return [policy](const Row& row) { return row.references.at(policy).cost_saved; };
}

// The mean of every policy that has a figure in each of the rows.
std::vector<std::pair<std::string, double>> reference_means(const std::vector<Row>& rows) {
  std::vector<std::pair<std::string, double>> means;
  for (const auto& [policy, ratios] : rows.front().references) {
    const auto has = [&policy = policy](const Row& row) { return row.references.contains(policy); };
    if (std::ranges::all_of(rows, has)) means.emplace_back(policy, mean_of(rows, reference(policy)));
  }
  return means;
}

void demand_near_best(const std::vector<Row>& rows, std::vector<Demand>& demands) {
  const std::vector<Row> hits = select(rows, [](const Row& row) { return row.cell.model == "unit"; });
  if (hits.empty()) return;
  const auto reference_behind = [](const Row& row) {
    return std::max(0.0, best_practical(row.references).cost_saved - row.references.at(k_reference).cost_saved);
  };
  demands.push_back({"mean distance",
                     "hit ratio, distance to the best practical policy: mean over the traces of the mean over "
                     "capacities",
                     mean_by_trace(hits, behind_best),
                     Bound::at_most,
                     k_mean_behind_best_max,
                     {{k_reference, mean_by_trace(hits, reference_behind)}}});
  demands.push_back({"mean distance, cells",
                     "the same, mean over the cells",
                     mean_of(hits, behind_best),
                     Bound::at_most,
                     k_mean_behind_best_max,
                     {{k_reference, mean_of(hits, reference_behind)}}});
}

void demand_log_normal_saved(const std::vector<Row>& rows, std::vector<Demand>& demands) {
  for (const auto& [per_mille, least] : k_log_normal_saved) {
    const std::vector<Row> there = select(rows, [per_mille = per_mille](const Row& row) {
      return row.cell.model == "logn" && row.per_mille == per_mille;
    });
    if (there.empty()) continue;
    demands.push_back({"saved at " + percent(per_mille),
                       "log-normal costs saved at " + percent(per_mille) + ", mean over the " +
                           std::to_string(there.size()) + " traces that have it",
                       mean_of(there, measured(k_two_gate)), Bound::at_least, least, reference_means(there)});
  }
}

// S3-FIFO's mean is the best one of what is measured here and of what was measured of it elsewhere, as published and
// with promotion after one hit.
void demand_no_less_than_s3_fifo(const std::vector<Row>& rows, std::vector<Demand>& demands) {
  for (const unsigned per_mille : k_per_mille) {
    const std::vector<Row> there =
        select(rows, [per_mille](const Row& row) { return row.cell.model == "unit" && row.per_mille == per_mille; });
    if (there.empty()) continue;
    const double ours = mean_of(there, measured(k_s3_fifo));
    const double published = mean_of(there, reference("s3fifo"));
    const double after_one_hit = mean_of(there, reference("s3fifo-1"));
    demands.push_back({"S3-FIFO at " + percent(per_mille),
                       "hit ratio at " + percent(per_mille) + ", mean over the " + std::to_string(there.size()) +
                           " traces that have it",
                       mean_of(there, measured(k_two_gate)),
                       Bound::at_least,
                       std::max({ours, published, after_one_hit}),
                       {{"s3-fifo", ours}, {"s3fifo", published}, {"s3fifo-1", after_one_hit}}});
  }
}

}  // namespace

double behind_best(const Row& row) {
  return std::max(0.0, best_practical(row.references).cost_saved - row.measured.at(k_two_gate).cost_saved);
}

bool is_large(const Row& row) {
  return row.entries >= 200 && row.requests >= 20'000;
}

std::vector<Demand> demands(const Row& row) {
  const double least = row.references.at(k_reference).cost_saved - allowed(row);
  const Best best = best_practical(row.references);
  std::vector<Demand> all;
  all.push_back({"reference",
                 "twogate less " + number("%.3f", allowed(row)),
                 row.measured.at(k_two_gate).cost_saved,
                 Bound::at_least,
                 least,
                 {}});
  all.push_back({"threads",
                 "the same with many threads, less another " + number("%.3f", k_threads_allowed),
                 row.measured.at(k_two_gate_threads).cost_saved,
                 Bound::at_least,
                 least - k_threads_allowed,
                 {}});
  if (is_large(row)) {
    all.push_back({"best",
                   "at most " + number("%.2f", k_behind_best_max) + " behind " + best.policy,
                   behind_best(row),
                   Bound::at_most,
                   k_behind_best_max,
                   {{best.policy, best.cost_saved}}});
  }
  return all;
}

std::vector<Demand> demands(const std::vector<Row>& rows) {
  std::vector<Demand> all;
  demand_near_best(rows, all);
  demand_log_normal_saved(rows, all);
  demand_no_less_than_s3_fifo(rows, all);
  return all;
}

}  // namespace bench
