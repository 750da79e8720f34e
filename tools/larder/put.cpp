// `larder put`: bytes under a key.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <larder/codecs.hpp>

#include "arguments.hpp"
#include "store_path.hpp"
#include "transfer.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct PutOptions {
  std::string key;
  std::string file = "-";
  std::string ttl = "never";
};

std::vector<std::byte> read_value(const std::string& path) {
  const bool standard_input = path == "-";
  const Descriptor file(standard_input ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<std::byte> bytes;
  if ((!standard_input && file.get() < 0) || read_all(standard_input ? STDIN_FILENO : file.get(), bytes) != 0) {
    const int code = errno;
    throw Failure{
        Exit::failed,
        fmt::format("{} cannot be read: {}", standard_input ? "standard input" : printable(path), std::strerror(code)),
        standard_input ? "larder put KEY FILE reads a file" : ""};
  }
  return bytes;
}

int run(const Globals& globals, const PutOptions& options) {
  const EntryOptions entry{.ttl = parse_ttl(options.ttl)};
  std::vector<std::byte> bytes = read_value(options.file);
  const std::size_t size = bytes.size();
  Result<Cache> cache = open_store(store_path(globals));
  if (!cache) throw failure_of(cache.error());
  const Key key(options.key);
  cache->put(key, std::move(bytes), entry);
  if ((*cache).stats()[Counter::stored] == 0) throw failure_of(why_not_stored(*cache));
  if (globals.json) {
    print_json({{"key", key.short_text()}, {"fingerprint", key.fingerprint().hex()}, {"bytes", size}});
  } else {
    say(globals, fmt::format("stored {} ({})", short_name(key), format_size(size)));
  }
  return 0;
}

}  // namespace

const Verb k_put = {
    "put", "[OPTION]... KEY [FILE]", "Store bytes under a key",
    "C++ reads it as cache.get<std::vector<std::byte>>(\"KEY\").\n"
    "Makes the store if there is none. Ends with 7 if it may not be written, with 8 if there is no room.\n\n"
    "Example:\n  date | larder put now --ttl 1h",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<PutOptions>();
      verb.add_option("KEY", options->key, "the key's text")->required();
      verb.add_option("FILE", options->file, "the file that holds the value; - is standard input");
      verb.add_option("--ttl", options->ttl, "how long the value is good: 90s, 15m, 1d12h, never");
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
