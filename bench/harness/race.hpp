// Runs contenders against each other, interleaved, after rounds that do not count. In each round every contender
// has one turn, in an order that is shuffled anew: nobody always follows the same predecessor, whose mess (dirty pages,
// freed memory, cold caches) would look like a property of the contender.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/random.hpp"
#include "harness/report.hpp"

namespace bench {

struct Contender {
  std::string name;
  bool ours = false;
  // One repetition; returns a reading for each metric of the race. Throws if the contender answers wrongly.
  std::function<std::vector<double>()> run;
};

struct Rounds {
  int dropped = 1;  // come first and do not count
  int counted;
};

// The metrics' readings of all contenders over the rounds that count, one table a metric.
[[nodiscard]] inline std::vector<Table> race(const std::string& experiment, const std::string& ran,
                                             const std::vector<Metric>& metrics,
                                             const std::vector<Contender>& contenders, const Rounds& rounds) {
  std::vector<Table> tables;
  for (const Metric& metric : metrics) {
    Table& table = tables.emplace_back(Table{experiment, ran, metric, {}});
    for (const Contender& contender : contenders) table.series.push_back({contender.name, contender.ours, {}});
  }
  // Of its own for each experiment: what comes after whom is not the same in all.
  Random random(std::hash<std::string>{}(experiment));
  for (int round = -rounds.dropped; round < rounds.counted; ++round) {
    for (const std::uint32_t c : permutation(contenders.size(), random)) {
      const std::vector<double> readings = contenders[c].run();
      if (round < 0) continue;
      for (std::size_t m = 0; m < metrics.size(); ++m) tables[m].series[c].readings.push_back(readings.at(m));
    }
  }
  return tables;
}

}  // namespace bench
