// `larder clear`: remove every entry.
#include <unistd.h>

#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct ClearOptions {
  bool yes = false;
};

void confirm(const Globals& globals, std::uint64_t entries, const std::string& directory) {
  if (::isatty(STDIN_FILENO) != 1) {
    throw Failure{Exit::usage,
                  fmt::format("{} of {} would be removed", counted(entries, "entry", "entries"), directory),
                  next_command(globals, "clear --yes")};
  }
  write_error(fmt::format("Remove {} of {}? [y/N] ", counted(entries, "entry", "entries"), directory));
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "yes") throw Failure{Exit::failed, "nothing was removed", "answer y, or give --yes"};
}

int run(const Globals& globals, const ClearOptions& options) {
  std::optional<Cache> cache = open_existing(globals);
  const std::uint64_t entries = cache ? cache->entries().size() : 0;
  if (cache) {
    if (!options.yes) confirm(globals, entries, cache->directory().string());
    cache->clear();
  }
  if (globals.json) {
    print_json({{"removed", entries}});
  } else if (cache) {
    say(globals, fmt::format("removed {}", counted(entries, "entry", "entries")));
  }
  return 0;
}

}  // namespace

const Verb k_clear = {
    "clear", "[OPTION]...", "Remove every entry, for every process",
    "Asks first on a terminal; elsewhere --yes is needed, else it ends with 2.\n\nExample:\n  larder clear --yes",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<ClearOptions>();
      verb.add_flag("--yes", options->yes, "do not ask");
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
