// The tool, run as a user runs it: another process, in a directory and with a store of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
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
  int signal = 0;   // that ended it
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
  // Standard input, and output and error together, are pipes in non-blocking mode. The input comes late, and the output
  // is not read before its pipe is full.
  bool non_blocking = false;
  std::optional<uid_t> user = {};  // who runs it; takes root
};

// Somebody who is bound by the modes of files, as root is not.
[[nodiscard]] std::optional<uid_t> ordinary_user();

// A process that runs.
class Running {
 public:
  Running(pid_t pid, std::filesystem::path out, std::filesystem::path err, int terminal)
      : pid_(pid), out_(std::move(out)), err_(std::move(err)), terminal_(terminal) {}
  Running(pid_t pid, int feed, std::string input, int drain)
      : pid_(pid), feed_(feed), input_(std::move(input)), drain_(drain) {}
  Ran wait();
  void send(int signal) const;
  // Waits until it has printed `text`.
  void wait_for_output(std::string_view text) const;
  // Waits until it has told the terminal `text`.
  void wait_for_terminal(std::string_view text);

 private:
  pid_t pid_;
  std::filesystem::path out_;
  std::filesystem::path err_;
  int terminal_ = -1;
  std::string seen_;  // on the terminal, so far
  int feed_ = -1;     // non-blocking pipes
  std::string input_;
  int drain_ = -1;
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
  // Lets other users reach what is in here.
  void open_to_all() const;
  void write(const std::string& name, std::string_view text) const;
  [[nodiscard]] std::string read(const std::string& name) const;
  [[nodiscard]] std::size_t lines(const std::string& name) const;  // 0 if there is no such file

 private:
  Running launch(const std::vector<std::string>& words, const How& how);

  TemporaryDirectory directory_;
  int launched_ = 0;
};

}  // namespace larder::test
