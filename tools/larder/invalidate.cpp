// `larder invalidate`: put every entry of a tag out of date.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "more_words.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

int run(const Globals& globals, const std::vector<std::string>& tags) {
  require_tags(tags);
  std::optional<Cache> cache = open_existing(globals);
  for (const std::string& tag : tags) {
    if (cache) cache->invalidate(tag);
  }
  if (globals.json) {
    print_json({{"invalidated", tags}});
  } else if (cache) {
    for (const std::string& tag : tags) say(globals, fmt::format("invalidated {}", printable(tag)));
  }
  return 0;
}

}  // namespace

const Verb k_invalidate = {
    "invalidate", "[OPTION]... TAG...", "Put every entry of a tag out of date, for every process",
    "Takes the same time however many they are, and does not tell: their room is given back when it is needed.\n"
    "Entries get tags by `larder exec --tag`, `larder put --tag` and EntryOptions::tags.\n\n"
    "Example:\n  larder exec --tag fab12 -- ./fetch.py fab12\n  larder invalidate fab12",
    [](CLI::App& verb) -> Action {
      auto tag = std::make_shared<std::string>();
      verb.add_option("TAG", *tag, "the tag's name; more may follow")->required();
      verb.allow_extras();
      return [tag, &verb](const Globals& globals) {
        std::vector<std::string> tags = more_words(verb);
        tags.insert(tags.begin(), *tag);
        return run(globals, tags);
      };
    }};

}  // namespace larder::tool
