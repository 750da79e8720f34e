// `larder info`: what is known of one entry.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "raw.hpp"
#include "selection.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct InfoOptions {
  std::string key;
};

int run(const Globals& globals, const InfoOptions& options) {
  Cache cache = require_existing(globals, Exit::not_found);
  const EntryInfo entry = require_entry(globals, cache, options.key);
  if (globals.json) return print_json(entry_json(entry)), 0;
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("{:<12} {}\n", name, value);
  };
  line("key", short_name(entry.key));
  line("text", printable(entry.key.text()));
  line("fingerprint", entry.key.fingerprint().hex());
  line("type", printable(entry.type));
  line("size", fmt::format("{} ({} bytes)", format_size(value_bytes(entry)), value_bytes(entry)));
  if (entry.compressed_bytes) {
    line("compressed", fmt::format("{} ({} bytes)", format_size(*entry.compressed_bytes), *entry.compressed_bytes));
  }
  line("cost", format_duration(entry.cost));
  line("created", fmt::format("{} ({})", timestamp(entry.created), ago(entry.created)));
  line("expires", entry.expires ? timestamp(*entry.expires) : "never");
  if (entry.stale_until) line("stale until", timestamp(*entry.stale_until));
  print(text);
  return 0;
}

}  // namespace

const Verb k_info = {
    "info", "[OPTION]... KEY", "Show what is known of one entry",
    "Ends with 3 if there is no such entry.\n\nExample:\n  larder info exec#9f3c21d0", [](CLI::App& verb) -> Action {
      auto options = std::make_shared<InfoOptions>();
      verb.add_option("KEY", options->key, "a key's text, or name#1234abcd as `larder ls` prints it")->required();
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
