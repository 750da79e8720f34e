// What a program of benchmarks is besides its experiments: options, a place to work in, a report.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/race.hpp"
#include "harness/report.hpp"

namespace bench {

struct Options {
  bool help = false;
  bool quick = false;
  bool large = false;
  int repetitions = 0;
  std::string only;
  std::filesystem::path directory = "/var/tmp";
  std::filesystem::path json;
};

// What experiments get: what was asked for, where to work, and where results go.
class Bench {
 public:
  Bench(const Options& options, Report& report, const std::filesystem::path& directory)
      : options_(options), report_(report), directory_(directory) {}

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  // Whether --only asks for this experiment.
  [[nodiscard]] bool wants(std::string_view experiment) const {
    return experiment.find(options_.only) != std::string_view::npos;
  }
  // Races the contenders and reports a table for each metric.
  void race(const std::string& experiment, const std::string& ran, const std::vector<Metric>& metrics,
            const std::vector<Contender>& contenders);
  // The same in one table, a contender a row; those that cannot run say so in theirs.
  void race_side_by_side(const std::string& experiment, const std::string& ran, const std::vector<Metric>& metrics,
                         const std::vector<Contender>& contenders, const std::vector<Skipped>& skipped,
                         const Rounds& rounds);
  void skip(const std::string& experiment, const std::string& contender, const std::string& why);

 private:
  const Options& options_;
  Report& report_;
  std::filesystem::path directory_;
};

struct Program {
  std::string name;
  std::string help;
  int repetitions;         // unless --repetitions says otherwise
  bool has_large = false;  // whether there is an option --large
  std::function<std::uint64_t(const Options&)> gib_needed;
  std::function<std::vector<std::pair<std::string, std::string>>()> facts;  // for the report, beside the machine's
  std::function<void(Bench&)> run;
  std::function<int(const std::vector<std::string>&)> play_role;  // of a child process, see child.hpp
};

// The body of main().
int run_program(int argc, char** argv, const Program& program);

}  // namespace bench
