// The experiments, and what they share: what to run, where, and where results go.
#pragma once

#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "harness/child.hpp"
#include "harness/race.hpp"
#include "harness/report.hpp"
#include "peers/peers.hpp"

namespace bench {

struct Options {
  bool help = false;
  bool quick = false;
  bool large = false;
  int repetitions = 7;
  std::string only;
  std::filesystem::path directory = "/var/tmp";
  std::filesystem::path json;
};

// A directory that is new, and gone when this is. Its parent must be there.
class Scratch {
 public:
  explicit Scratch(std::filesystem::path path) : path_(std::move(path)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directory(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

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
            const std::vector<Contender>& contenders) {
    for (Table& table : bench::race(experiment, ran, metrics, contenders, options_.repetitions)) {
      report_.add(std::move(table), std::cout);
    }
  }
  void skip(const std::string& experiment, const std::string& contender, const std::string& why) {
    report_.skip({experiment, contender, why}, std::cout);
  }

 private:
  const Options& options_;
  Report& report_;
  std::filesystem::path directory_;
};

// The sizes of small and middling values, fewer records with --quick, more with --large.
[[nodiscard]] std::vector<SizeClass> size_classes(const Options& options);
// The one huge value: 1 GiB, with --quick 64 MiB.
[[nodiscard]] SizeClass huge_class(const Options& options);

void memory_hit(Bench& bench);
void store_hit(Bench& bench);
void store_hit_huge(Bench& bench);
void put(Bench& bench);
void reopen(Bench& bench);

// --- roles of child processes; see children.cpp ---

// Fills a peer's store: arguments for a Child that ends when it has closed the store.
[[nodiscard]] std::vector<std::string> fill_role(const std::string& peer, const std::filesystem::path& directory,
                                                 const Setup& setup);
// The same, but prints "full" instead of closing, and waits to be killed.
[[nodiscard]] std::vector<std::string> fill_and_wait_role(const std::string& peer,
                                                          const std::filesystem::path& directory, const Setup& setup);
// Gets value 0 and holds it; prints what Held parses; on a line of input prints its Pss in KiB; on another ends.
[[nodiscard]] std::vector<std::string> hold_role(const std::string& peer, const std::filesystem::path& directory,
                                                 const Setup& setup, How how);
struct Held {
  double first_byte_us;      // from the call of get to the first byte read
  double every_byte_ms;      // from the call of get to the last byte read
  double private_first_mib;  // growth of anonymous memory from before get to after the first byte
  double private_every_mib;  // the same, after every byte was read
};
[[nodiscard]] Held parse_held(const std::string& line);

// Plays the role that fill_role and the like describe. Returns the exit code.
int play_role(const std::vector<std::string>& arguments);

}  // namespace bench
