// What was measured, as tables for people and as JSON for programs.
//
// A Table is one metric of several contenders, measured in the same rounds: reading i of every contender was taken
// in round i. The first of larder's own contenders is what the others are compared with.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/environment.hpp"
#include "harness/statistics.hpp"

namespace bench {

enum class Better { lower, higher };

struct Metric {
  std::string name;
  Better better = Better::lower;
};

struct Series {
  std::string contender;
  bool ours = false;
  std::vector<double> readings;  // one a round
};

struct Table {
  std::string experiment;  // "store_hit/1KiB"
  std::string ran;         // what was run, in words
  Metric metric;
  std::vector<Series> series;

  // larder's reference contender; null if it did not run.
  [[nodiscard]] const Series* reference() const;
  // The contender that is not ours with the best median; null if there is none.
  [[nodiscard]] const Series* best_peer() const;
};

struct Skipped {
  std::string experiment;
  std::string contender;
  std::string why;
};

class Report {
 public:
  Report(std::string program, Environment environment)
      : program_(std::move(program)), environment_(std::move(environment)) {}

  // Prints the heading at once, tables as they come: a run that is stopped has still said something.
  void start(std::ostream& out) const;
  void add(Table table, std::ostream& out);
  // The tables of one race in one: a row a contender, a column a metric. REQUIRES: they have the same contenders.
  void add_side_by_side(std::vector<Table> metrics, const std::vector<Skipped>& skipped, std::ostream& out);
  void skip(Skipped skipped, std::ostream& out);
  void write_json(std::ostream& out) const;

 private:
  std::string program_;
  Environment environment_;
  std::vector<Table> tables_;
  std::vector<Skipped> skipped_;
};

}  // namespace bench
