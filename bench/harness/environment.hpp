// Where and how a result came about: without it a number means nothing.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Environment {
  // Facts in the order in which they are shown: machine, kernel, file system, commit, command line, ...
  std::vector<std::pair<std::string, std::string>> facts;
  int repetitions = 0;
};

// Collects the facts; `directory` is where the stores will lie.
[[nodiscard]] Environment describe(int argc, char** argv, const std::filesystem::path& directory, int repetitions);

}  // namespace bench
