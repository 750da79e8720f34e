// `larder put`: bytes under a key.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <larder/codecs.hpp>

#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct PutOptions {
  std::string key;
  std::string file = "-";
  std::string ttl = "never";
};

std::vector<std::byte> read_all(const std::string& path) {
  std::ifstream file;
  const std::string name = path == "-" ? "/dev/stdin" : path;
  file.open(name, std::ios::binary);
  std::vector<std::byte> bytes;
  while (file.good()) {
    constexpr std::size_t k_step = 1 << 20;
    const std::size_t before = bytes.size();
    bytes.resize(before + k_step);
    file.read(reinterpret_cast<char*>(bytes.data() + before), k_step);
    bytes.resize(before + static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof()) throw Failure{Exit::failed, fmt::format("{} cannot be read", path), ""};
  return bytes;
}

int run(const Globals& globals, const PutOptions& options) {
  const EntryOptions entry{.ttl = parse_duration(options.ttl).value()};
  std::vector<std::byte> bytes = read_all(options.file);
  const std::size_t size = bytes.size();
  Result<Cache> cache = open_store(store_path(globals));
  if (!cache) throw failure_of(cache.error());
  const Key key(options.key);
  const PutOutcome outcome = cache->put(key, std::move(bytes), entry);
  if (outcome.in_store == PutOutcome::Store::none) {
    throw Failure{Exit::usage, "a TTL of 0 keeps nothing", "larder help put"};
  }
  cache->flush();
  if ((*cache).stats()[Counter::stored] == 0) throw failure_of(why_not_stored(*cache));
  if (globals.json) {
    print_json({{"key", key.short_text()}, {"fingerprint", key.fingerprint().hex()}, {"bytes", size}});
  } else {
    say(globals, fmt::format("stored {} ({})", short_name(key), format_size(size)));
  }
  return 0;
}

}  // namespace

const Verb k_put = {"put", "Store bytes under a key",
                    "C++ reads it as cache.get<std::vector<std::byte>>(\"KEY\").\n\n"
                    "Example:\n  date | larder put now --ttl 1h",
                    [](CLI::App& verb) -> Action {
                      auto options = std::make_shared<PutOptions>();
                      verb.add_option("KEY", options->key, "the key's text")->required();
                      verb.add_option("FILE", options->file, "the file that holds the value; - is standard input");
                      verb.add_option("--ttl", options->ttl, "how long the value is good: 90s, 15m, 1d12h, never");
                      return [options](const Globals& globals) { return run(globals, *options); };
                    }};

}  // namespace larder::tool
