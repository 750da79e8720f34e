// Runs contenders against each other, interleaved: A B C A B C ..., after one round that does not count.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/report.hpp"

namespace bench {

struct Contender {
  std::string name;
  bool ours = false;
  // One repetition; returns a reading for each metric of the race. Throws if the contender answers wrongly.
  std::function<std::vector<double>()> run;
};

// The metrics' readings of all contenders over `repetitions` rounds, one table a metric.
[[nodiscard]] inline std::vector<Table> race(const std::string& experiment, const std::string& ran,
                                             const std::vector<Metric>& metrics,
                                             const std::vector<Contender>& contenders, int repetitions) {
  std::vector<Table> tables;
  for (const Metric& metric : metrics) {
    Table& table = tables.emplace_back(Table{experiment, ran, metric, {}});
    for (const Contender& contender : contenders) table.series.push_back({contender.name, contender.ours, {}});
  }
  for (int round = -1; round < repetitions; ++round) {
    for (std::size_t c = 0; c < contenders.size(); ++c) {
      const std::vector<double> readings = contenders[c].run();
      if (round < 0) continue;
      for (std::size_t m = 0; m < metrics.size(); ++m) tables[m].series[c].readings.push_back(readings.at(m));
    }
  }
  return tables;
}

}  // namespace bench
