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

int run(const Globals& globals, const ClearOptions& options) {
  Cache cache = open_existing(globals);
  const std::uint64_t entries = cache.entries().size();
  const std::string directory = cache.directory().string();
  if (!options.yes) {
    if (::isatty(STDIN_FILENO) != 1) {
      throw Failure{Exit::usage, fmt::format("{} entries of {} would be removed", entries, directory),
                    "larder clear --yes"};
    }
    write_error(fmt::format("Remove {} entries of {}? [y/N] ", entries, directory));
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "yes") throw Failure{Exit::failed, "nothing was removed", ""};
  }
  cache.clear();
  if (globals.json) {
    print_json({{"removed", entries}});
  } else {
    say(globals, fmt::format("removed {} entries", entries));
  }
  return 0;
}

}  // namespace

const Verb k_clear = {"clear", "Remove every entry, for every process",
                      "Asks first on a terminal; elsewhere --yes is needed.\n\nExample:\n  larder clear --yes",
                      [](CLI::App& verb) -> Action {
                        auto options = std::make_shared<ClearOptions>();
                        verb.add_flag("--yes", options->yes, "do not ask");
                        return [options](const Globals& globals) { return run(globals, *options); };
                      }};

}  // namespace larder::tool
