// `larder rm`: remove entries, for every process, before it returns.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "more_words.hpp"
#include "selection.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct RmOptions {
  std::string key;
};

int run(const Globals& globals, const std::vector<std::string>& texts) {
  std::optional<Cache> cache = open_existing(globals);
  // Every word is understood before anything is removed.
  std::vector<Key> found;
  std::vector<std::string> missing;
  for (const std::string& text : texts) {
    if (std::optional<EntryInfo> entry = cache ? find_entry(*cache, text) : std::nullopt) {
      found.push_back(std::move(entry->key));
    } else {
      missing.push_back(text);
    }
  }
  nlohmann::json removed = nlohmann::json::array();
  for (const Key& key : found) {
    if (!cache->remove(key)) continue;
    removed.push_back(key.short_text());
    if (!globals.json) say(globals, fmt::format("removed {}", short_name(key)));
  }
  if (globals.json) print_json({{"removed", removed}, {"missing", missing}});
  if (missing.empty()) return 0;
  if (!globals.json) throw not_found(globals, missing[0]);
  return static_cast<int>(Exit::not_found);
}

}  // namespace

const Verb k_rm = {"rm", "[OPTION]... KEY...", "Remove entries, for every process",
                   "Ends with 3 if one of them was not there; the others are removed.\n\n"
                   "Example:\n  larder rm greeting exec#9f3c21d0",
                   [](CLI::App& verb) -> Action {
                     auto options = std::make_shared<RmOptions>();
                     verb.add_option("KEY", options->key,
                                     "a key's text, or name#1234abcd as `larder ls` prints it; more may follow")
                         ->required();
                     verb.allow_extras();
                     return [options, &verb](const Globals& globals) {
                       std::vector<std::string> texts = more_words(verb);
                       texts.insert(texts.begin(), options->key);
                       return run(globals, texts);
                     };
                   }};

}  // namespace larder::tool
