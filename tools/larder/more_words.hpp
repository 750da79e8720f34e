// The words of a verb that takes any number of them.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace larder::tool {

// What follows the last positional of a verb that allows extras. The parser would take a list out of a word such as
// `[a,b]` where an option may have many values; these stay as they are. Throws Failure(usage) for an unknown option: a
// word that starts with a dash, is no number, and does not follow `--`.
[[nodiscard]] std::vector<std::string> more_words(const CLI::App& verb);

}  // namespace larder::tool
