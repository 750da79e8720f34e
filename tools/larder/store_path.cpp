#include "store_path.hpp"

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "store/inspect.hpp"

namespace larder::tool {

namespace {

std::string doctor(const std::filesystem::path& directory) {
  return fmt::format("larder doctor --dir {}", directory.string());
}

Cache open_or_throw(const Globals& globals) {
  Result<Cache> cache = open_store(globals);
  if (!cache) throw failure_of(cache.error());
  return *std::move(cache);
}

}  // namespace

std::filesystem::path store_path(const Globals& globals) {
  if (!globals.directory.empty()) return globals.directory;
  std::filesystem::path directory = default_directory();
  if (directory.empty()) {
    throw Error(Errc::no_store, "there is no home directory to keep the store in",
                "name a directory with --dir or LARDER_DIR");
  }
  return directory;
}

std::string store_shared(const Globals& globals) {
  return globals.shared.empty() && globals.directory.empty() ? default_shared() : globals.shared;
}

bool is_format(const std::string& name) {
  return name.size() > 1 && name[0] == 'v' &&
         std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool store_exists(const std::filesystem::path& directory) {
  std::error_code code;
  std::filesystem::directory_iterator found(directory, code);
  if (code == std::errc::no_such_file_or_directory) return false;
  if (code) {
    throw Failure{code == std::errc::permission_denied ? Exit::permission : Exit::failed,
                  fmt::format("{} cannot be read: {}", directory.string(), code.message()), k_other_directory};
  }
  return std::any_of(begin(found), end(found), [](const std::filesystem::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    return is_format(name) && (name != "v1" || std::filesystem::exists(entry.path() / "control", ignored));
  });
}

std::string no_store_yet(const std::filesystem::path& directory) {
  return fmt::format("no store at {} yet (it is made by the first `larder exec` or `larder put`)", directory.string());
}

Result<Cache> open_store(const Globals& globals) {
  return open_store(store_path(globals), store_shared(globals));
}

Result<Cache> open_store(const std::filesystem::path& directory, const std::string& shared) {
  Options options;
  options.directory = directory;
  options.shared = shared;
  options.memory = 0;
  options.write = WriteMode::through;
  Result<Cache> cache = Cache::open(options);
  if (!cache) return cache;
  const Stats stats = cache->stats();
  if (stats.degraded.empty()) return cache;
  const Errc code = stats[Counter::fault_permission] > 0 ? Errc::permission
                    : stats[Counter::fault_no_space] > 0 ? Errc::no_space
                                                         : Errc::io;
  return Error(code, stats.degraded, stats.degraded_help.empty() ? doctor(directory) : stats.degraded_help);
}

std::optional<Cache> open_existing(const Globals& globals) {
  const std::filesystem::path directory = store_path(globals);
  if (store_exists(directory)) return open_or_throw(globals);
  if (!globals.json) say(globals, no_store_yet(directory));
  return std::nullopt;
}

Cache require_existing(const Globals& globals, Exit exit) {
  const std::filesystem::path directory = store_path(globals);
  if (!store_exists(directory)) throw no_store(directory, exit);
  return open_or_throw(globals);
}

Failure no_store(const std::filesystem::path& directory, Exit exit) {
  return {exit, no_store_yet(directory), k_other_directory};
}

std::uint64_t value_bytes_max(const Cache& cache) {
  const auto memory =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE));
  return std::min(cache.stats().store_limit, memory / 4);
}

Error larger_than(std::uint64_t limit) {
  return {Errc::no_space, fmt::format("it is larger than the store's limit of {} allows", format_size(limit)),
          "a program may raise the limit: Options::store"};
}

Error why_not_stored(const Cache& cache) {
  const Stats stats = cache.stats();
  const std::string limit = format_size(stats.store_limit);
  if (stats[Counter::not_stored_too_large] > 0) return larger_than(stats.store_limit);
  if (stats[Counter::not_stored_no_room] > 0) {
    const Result<store::Holders> holders = store::holders(cache.directory());
    const std::string who = holders ? ": " + store::describe(*holders) : "";
    return {Errc::no_space, fmt::format("values that programs hold fill the store's limit of {}{}", limit, who),
            "end such a program, or let one raise the limit: Options::store"};
  }
  if (stats[Counter::fault_no_space] > 0) {
    return {Errc::no_space, fmt::format("the disk of {} is full", cache.directory().string()),
            "free some space there; larder clear gives back what the store takes"};
  }
  if (stats[Counter::not_stored_superseded] > 0) {
    return {Errc::io, "the entry was removed or changed meanwhile, and that stands", ""};
  }
  if (stats[Counter::fault_permission] > 0) {
    return {Errc::permission, "the store may not be written", doctor(cache.directory())};
  }
  return {Errc::io, "the store refused it", doctor(cache.directory())};
}

}  // namespace larder::tool
