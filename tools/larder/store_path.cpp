#include "store_path.hpp"

#include <fmt/format.h>

namespace larder::tool {

std::filesystem::path store_path(const Globals& globals) {
  return globals.directory.empty() ? default_directory() : std::filesystem::path(globals.directory);
}

bool store_exists(const std::filesystem::path& directory) {
  std::error_code code;
  const bool exists = std::filesystem::exists(directory / "v1" / "control", code);
  if (code == std::errc::permission_denied) {
    throw Failure{Exit::permission, fmt::format("{} may not be read by this user", directory.string()),
                  fmt::format("ls -ld {}", directory.string())};
  }
  return exists;
}

void require_store(const std::filesystem::path& directory) {
  if (store_exists(directory)) return;
  throw Failure{Exit::no_store, fmt::format("{} holds no store", directory.string()),
                "larder exec -- COMMAND makes one there; --dir or LARDER_DIR names another directory"};
}

Result<Cache> open_store(const std::filesystem::path& directory, Verification verification,
                         std::function<void(const Event&)> on_event) {
  Options options;
  options.directory = directory;
  options.memory = 0;
  options.write = WriteMode::through;
  options.verification = verification;
  options.on_event = std::move(on_event);
  Result<Cache> cache = Cache::open(options);
  if (!cache) return cache;
  const Stats stats = cache->stats();
  if (stats.degraded.empty()) return cache;
  const Errc code = stats[Counter::fault_permission] > 0 ? Errc::permission
                    : stats[Counter::fault_no_space] > 0 ? Errc::no_space
                                                         : Errc::io;
  return Error(code, stats.degraded, fmt::format("larder doctor --dir {}", directory.string()));
}

Cache open_existing(const Globals& globals, Verification verification, std::function<void(const Event&)> on_event) {
  const std::filesystem::path directory = store_path(globals);
  require_store(directory);
  Result<Cache> cache = open_store(directory, verification, std::move(on_event));
  if (!cache) throw failure_of(cache.error());
  return *std::move(cache);
}

Error why_not_stored(const Cache& cache) {
  const Stats stats = cache.stats();
  const std::string limit = format_size(stats.store_limit);
  if (stats[Counter::not_stored_too_large] > 0) {
    return {Errc::no_space, fmt::format("the value is larger than the store's limit of {} allows", limit), ""};
  }
  if (stats[Counter::not_stored_no_room] > 0) {
    return {Errc::no_space, fmt::format("values in use fill the store's limit of {}", limit), ""};
  }
  if (stats[Counter::fault_no_space] > 0) return {Errc::no_space, "the disk is full", "larder clear"};
  if (stats[Counter::fault_permission] > 0) return {Errc::permission, "the store may not be written", "larder doctor"};
  if (stats[Counter::not_stored_superseded] > 0) {
    return {Errc::io, "another process changed the key meanwhile: its value stands", ""};
  }
  return {Errc::io, stats.degraded.empty() ? "the store refused it" : stats.degraded, "larder doctor"};
}

}  // namespace larder::tool
