// `larder get`: the bytes of a value.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "raw.hpp"
#include "selection.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct GetOptions {
  std::string key;
  std::uint64_t offset = 0;
  std::uint64_t length = UINT64_MAX;
};

Bytes part_of(const ValueReader& value, std::uint64_t offset, std::uint64_t length) {
  const Result<Bytes> part = value.view(offset, length);
  if (!part) throw failure_of(part.error());
  return *part;
}

int run(const Globals& globals, const GetOptions& options) {
  Cache cache = require_existing(globals, Exit::not_found);
  const EntryInfo entry = require_entry(globals, cache, options.key);
  const std::optional<ValueReader> value = cache.reader(entry.key);
  if (!value) throw not_found(globals, options.key);
  if (globals.json) {
    const Bytes bytes = part_of(*value, options.offset, options.length);
    print_json(
        {{"key", entry.key.short_text()}, {"type", value->type()}, {"bytes", bytes.size()}, {"base64", base64(bytes)}});
    return 0;
  }
  constexpr std::uint64_t k_step = std::uint64_t{1} << 20;
  std::uint64_t offset = options.offset;
  for (std::uint64_t left = options.length; left != 0;) {
    const Bytes part = part_of(*value, offset, std::min(left, k_step));
    if (part.empty()) break;
    print(std::string_view(reinterpret_cast<const char*>(part.data()), part.size()));
    offset += part.size();
    left -= part.size();
  }
  return 0;
}

}  // namespace

const Verb k_get = {
    "get", "[OPTION]... KEY", "Print the bytes of a value",
    "Bytes, as `put` stores them, and texts are printed as they are; values of other types as they are encoded.\n"
    "--json carries the bytes in base64. Ends with 3 if there is no such entry, with 1 if the rest of it turns out to\n"
    "be damaged when a part was printed already.\n\n"
    "Example:\n  larder get greeting > greeting.txt\n  larder get frames --offset 1000000 --length 4096",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<GetOptions>();
      verb.add_option("KEY", options->key, "a key's text, or name#1234abcd as `larder ls` prints it")->required();
      verb.add_option("--offset", options->offset, "print from this byte on")->check(whole_number(0));
      verb.add_option("--length", options->length, "print so many bytes at most")->check(whole_number(0));
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
