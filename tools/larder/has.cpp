// `larder has`: whether there is a fresh entry.
#include <nlohmann/json.hpp>

#include "selection.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct HasOptions {
  std::string key;
};

int run(const Globals& globals, const HasOptions& options) {
  std::optional<Cache> cache = open_existing(globals);
  const bool found = cache && find_entry(*cache, options.key);
  if (globals.json) print_json({{"found", found}});
  return static_cast<int>(found ? Exit::ok : Exit::not_found);
}

}  // namespace

const Verb k_has = {
    "has", "[OPTION]... KEY", "Tell by the exit code whether there is a fresh entry: 0 or 3",
    "Prints nothing; --json prints {\"found\": true} or false, and ends alike.\n\n"
    "Example:\n  larder has greeting || echo hello | larder put greeting",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<HasOptions>();
      verb.add_option("KEY", options->key, "a key's text, or name#1234abcd as `larder ls` prints it")->required();
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
