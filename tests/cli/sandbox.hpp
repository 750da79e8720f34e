// The tool, run as a user runs it: another process, in a directory and with a store of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/temporary_directory.hpp"

namespace larder::test {

// What became of a process.
struct Ran {
  int status = -1;  // 128 + signal if a signal ended it
  std::string out;
  std::string err;
};

// How a process is started, beside its words.
struct How {
  std::string input = {};                               // its standard input
  std::map<std::string, std::string> environment = {};  // beside PATH, HOME, TERM and LARDER_DIR
  std::filesystem::path directory = {};                 // empty: the sandbox's
  bool terminal = false;                                // standard error is a terminal
  std::string output = {};                              // a file for standard output, e.g. /dev/full
};

// A process that runs.
class Running {
 public:
  Running(pid_t pid, std::filesystem::path out, std::filesystem::path err, int terminal)
      : pid_(pid), out_(std::move(out)), err_(std::move(err)), terminal_(terminal) {}
  Ran wait();
  void send(int signal) const;
  // Waits until it has printed `text`.
  void wait_for_output(std::string_view text) const;

 private:
  pid_t pid_;
  std::filesystem::path out_;
  std::filesystem::path err_;
  int terminal_;
};

class Sandbox : public testing::Test {
 public:
  Sandbox();

  // Runs `larder WORDS...`.
  Ran larder(const std::vector<std::string>& words, const How& how = {});
  Running start(std::vector<std::string> words, const How& how = {});
  // Runs a shell script in which `larder` is the tool.
  Ran shell(const std::string& script);
  // What `larder WORDS... --json` prints.
  nlohmann::json json(std::vector<std::string> words);

  [[nodiscard]] std::filesystem::path work() const { return directory_.path() / "work"; }
  [[nodiscard]] std::filesystem::path store() const { return directory_.path() / "store"; }
  void write(const std::string& name, std::string_view text) const;
  [[nodiscard]] std::string read(const std::string& name) const;
  [[nodiscard]] std::size_t lines(const std::string& name) const;  // 0 if there is no such file

 private:
  Running launch(const std::vector<std::string>& words, const How& how);

  TemporaryDirectory directory_;
  int launched_ = 0;
};

}  // namespace larder::test
