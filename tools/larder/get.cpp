// `larder get`: the bytes of a value.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "raw.hpp"
#include "selection.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct GetOptions {
  std::string key;
};

int run(const Globals& globals, const GetOptions& options) {
  Cache cache = require_existing(globals, Exit::not_found);
  const EntryInfo entry = require_entry(globals, cache, options.key);
  const std::optional<RawValue> value = read_raw(cache, entry);
  if (!value) throw not_found(globals, options.key);
  if (globals.json) {
    print_json({{"key", entry.key.short_text()},
                {"type", value->type},
                {"bytes", value->bytes.size()},
                {"base64", base64(value->bytes)}});
  } else {
    print(std::string_view(reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size()));
  }
  return 0;
}

}  // namespace

const Verb k_get = {
    "get", "[OPTION]... KEY", "Print the bytes of a value",
    "Bytes, as `put` stores them, and texts are printed as they are; values of other types as they are encoded.\n"
    "--json carries the bytes in base64. Ends with 3 if there is no such entry.\n\n"
    "Example:\n  larder get greeting > greeting.txt",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<GetOptions>();
      verb.add_option("KEY", options->key, "a key's text, or name#1234abcd as `larder ls` prints it")->required();
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
