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
  std::vector<std::string> tags;
  std::string compress;
};

bool is_standard_input(const std::string& path) {
  return path == "-";
}

std::string name_of(const std::string& path) {
  return is_standard_input(path) ? "standard input" : printable(path);
}

Failure unreadable(const std::string& path, int code) {
  return {Exit::failed, fmt::format("{} cannot be read: {}", name_of(path), std::strerror(code)),
          is_standard_input(path) ? "larder put KEY FILE reads a file" : ""};
}

std::vector<std::byte> read_value(const std::string& path, int fd, std::uint64_t bytes_max) {
  std::vector<std::byte> bytes;
  if (const int code = read_all(fd, bytes, bytes_max); code != 0) throw unreadable(path, code);
  if (bytes.size() <= bytes_max) return bytes;
  throw Failure{
      Exit::no_space,
      fmt::format("{} is larger than {}, the most that put takes", name_of(path), format_size(bytes_max)),
      "it is a quarter of the memory, or the store's limit if that is less: a program may raise it, Options::store"};
}

int run(const Globals& globals, const PutOptions& options) {
  require_tags(options.tags);
  const EntryOptions entry{
      .ttl = parse_ttl(options.ttl), .tags = options.tags, .compression = parse_compression(options.compress)};
  const std::string& path = options.file;
  if (path.empty()) throw Failure{Exit::usage, "the name of the file is empty", "name a file, or - for standard input"};
  // Before the store is made: there is nothing to keep in it if this fails.
  const Descriptor file(is_standard_input(path) ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                                : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw unreadable(path, errno);
  Result<Cache> cache = open_store(globals);
  if (!cache) throw failure_of(cache.error());
  std::vector<std::byte> bytes = read_value(path, file.get(), value_bytes_max(*cache));
  const std::size_t size = bytes.size();
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
      verb.add_option("--tag", options->tags, "a name by which `larder invalidate` finds it (repeatable)")
          ->allow_extra_args(false);
      add_compress(verb, options->compress);
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
