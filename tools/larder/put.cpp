// `larder put`: bytes under a key.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

// A file that cannot fit would displace everything else before that shows.
void require_room(int fd, const Cache& cache) {
  struct stat status {};
  const bool known = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  const std::uint64_t limit = cache.stats().store_limit;
  if (known && static_cast<std::uint64_t>(status.st_size) > limit) throw failure_of(larger_than(limit));
}

// Hands on what there is to read, as it comes.
void copy_value(const std::string& path, int fd, ValueWriter& writer) {
  std::vector<char> buffer(std::size_t{1} << 20);
  for (;;) {
    const ssize_t got = read_some(fd, buffer);
    if (got < 0) throw unreadable(path, errno);
    if (got == 0 || !writer.write(std::as_bytes(std::span(buffer).first(static_cast<std::size_t>(got))))) return;
  }
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
  require_room(file.get(), *cache);
  const Key key(options.key);
  ValueWriter writer = cache->writer(key, entry);
  copy_value(path, file.get(), writer);
  const std::uint64_t size = writer.size();
  const PutOutcome outcome = writer.publish();
  // What somebody else has put meanwhile stands, as if this one had come a moment earlier.
  const bool put_over = outcome.in_store == PutOutcome::Store::superseded && cache->contains(key);
  if (!put_over && cache->stats()[Counter::stored] == 0) throw failure_of(why_not_stored(*cache));
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
