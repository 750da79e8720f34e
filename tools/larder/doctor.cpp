// `larder doctor`: what could keep the store from working here, each line with its cure.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

enum class State { ok, warn, fail };
constexpr const char* k_state_names[] = {"ok", "warn", "fail"};

struct Check {
  State state;
  const char* name;
  std::string what;
  std::string cure;  // empty where all is well
};

struct Mount {
  std::string point;
  std::string type;
};

// The mount that holds `path`: of the mount points above it the longest, of equal ones the last.
Mount mount_of(const std::filesystem::path& path) {
  Mount found;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string word;
    Mount mount;
    for (int i = 0; i < 5 && words >> word; ++i) mount.point = word;
    while (words >> word && word != "-") {
    }
    words >> mount.type;
    const std::string relative = path.lexically_relative(mount.point).string();
    if (relative.starts_with("..") || relative.empty()) continue;
    if (mount.point.size() >= found.point.size()) found = mount;
  }
  return found;
}

// The directory itself, or where it does not exist the nearest one above it.
std::filesystem::path nearest(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::filesystem::path path = std::filesystem::absolute(directory);
  while (!std::filesystem::is_directory(path, ignored) && path != path.parent_path()) path = path.parent_path();
  return path;
}

Check check_permissions(const std::filesystem::path& place, bool own) {
  struct stat status {};
  if (::stat(place.c_str(), &status) != 0) {
    return {State::fail, "permissions", fmt::format("{}: {}", place.string(), std::strerror(errno)),
            "name another directory with --dir or LARDER_DIR"};
  }
  if (::access(place.c_str(), R_OK | W_OK | X_OK) != 0) {
    return {State::fail, "permissions", fmt::format("{} may not be written: {}", place.string(), std::strerror(errno)),
            fmt::format("chown {} {}", ::geteuid(), place.string())};
  }
  if (own && status.st_uid != ::geteuid()) {
    return {State::fail, "permissions", fmt::format("{} belongs to user {}", place.string(), status.st_uid),
            fmt::format("chown -R {} {}", ::geteuid(), place.string())};
  }
  if (own && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return {State::warn, "permissions", fmt::format("other users may write {}", place.string()),
            fmt::format("chmod go-w {}", place.string())};
  }
  return {State::ok, "permissions", fmt::format("{} may be read and written", place.string()), ""};
}

// Tries what the store lives on: locks that belong to an open file. The file has no name and is gone when closed.
Check check_locks(const std::filesystem::path& place) {
  const int fd = ::open(place.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    return {State::fail, "locks", fmt::format("no file can be made in {}: {}", place.string(), std::strerror(errno)),
            "name another directory with --dir or LARDER_DIR"};
  }
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_len = 1;
  const bool locked = ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
  const int code = errno;
  ::close(fd);
  if (locked) return {State::ok, "locks", "byte-range locks work", ""};
  return {State::fail, "locks", fmt::format("byte-range locks fail: {}", std::strerror(code)),
          "name a directory on a local disk with --dir or LARDER_DIR"};
}

Check check_space(const std::filesystem::path& place, const Stats* stats) {
  std::error_code code;
  const std::filesystem::space_info space = std::filesystem::space(place, code);
  if (code) return {State::fail, "space", code.message(), "name another directory with --dir or LARDER_DIR"};
  const std::string free = format_size(space.available);
  if (stats == nullptr) return {State::ok, "space", free + " free", ""};
  const std::uint64_t missing = stats->store_limit - std::min(stats->store_limit, stats->store_bytes);
  const std::string limit = format_size(stats->store_limit);
  if (space.available >= missing) {
    return {State::ok, "space",
            fmt::format("{} free, the store may still take {} of {}", free, format_size(missing), limit), ""};
  }
  return {State::warn, "space",
          fmt::format("{} free, less than the {} that the store may still take", free, format_size(missing)),
          "free some, or open the store with a smaller limit (Options::store)"};
}

Check check_mappings() {
  std::uint64_t maps = 0;
  std::ifstream("/proc/sys/vm/max_map_count") >> maps;
  constexpr std::uint64_t k_maps_min = 65530;  // what Linux starts with
  if (maps < k_maps_min) {
    return {State::warn, "mappings", fmt::format("a process may have {} mappings", maps),
            fmt::format("sysctl vm.max_map_count={}", k_maps_min)};
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    return {State::warn, "mappings", fmt::format("address space is limited to {}", format_size(limit.rlim_cur)),
            "ulimit -v unlimited"};
  }
  return {State::ok, "mappings", fmt::format("a process may have {}", maps), ""};
}

Check check_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    return {State::warn, "file size", fmt::format("files are limited to {}", format_size(limit.rlim_cur)),
            "ulimit -f unlimited"};
  }
  constexpr rlim_t k_files_min = 1024;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < k_files_min) {
    return {State::warn, "open files", fmt::format("a process may have {}", limit.rlim_cur),
            fmt::format("ulimit -n {}", k_files_min)};
  }
  return {State::ok, "open files", fmt::format("a process may have {}", limit.rlim_cur), ""};
}

Check check_store(const Stats& stats) {
  const std::uint64_t damaged = stats[Counter::fault_damaged_record] + stats[Counter::fault_damaged_file];
  if (damaged > 0) {
    return {State::warn, "store", fmt::format("{} damaged records or files were met since it was made", damaged),
            "larder verify"};
  }
  return {State::ok, "store",
          fmt::format("format 1, {} segments, index made {} times after a restart or damage", stats.store_segments,
                      stats[Counter::rebuilt]),
          ""};
}

int print_checks(const Globals& globals, const std::vector<Check>& checks) {
  State worst = State::ok;
  nlohmann::json list = nlohmann::json::array();
  std::string text;
  for (const Check& check : checks) {
    worst = std::max(worst, check.state);
    const char* state = k_state_names[static_cast<int>(check.state)];
    list.push_back({{"check", check.name}, {"state", state}, {"what", check.what}, {"cure", check.cure}});
    text += fmt::format("{:<5} {:<12} {}\n", state, check.name, check.what);
    if (!check.cure.empty()) text += fmt::format("      cure: {}\n", check.cure);
  }
  if (globals.json) {
    print_json(list);
  } else {
    print(text);
  }
  return static_cast<int>(worst == State::ok ? Exit::ok : worst == State::warn ? Exit::warnings : Exit::failed);
}

int run(const Globals& globals) {
  const std::filesystem::path directory = store_path(globals);
  const std::filesystem::path place = nearest(directory);
  const Mount mount = mount_of(place);
  std::vector<Check> checks;
  const bool exists = store_exists(directory);
  std::optional<Result<Cache>> cache;
  std::optional<Stats> stats;
  if (exists) {
    cache = open_store(directory);
    if (*cache) stats = (*cache)->shared_stats();
  }
  const bool refused = cache && !*cache;
  checks.push_back({State::ok, "file system", fmt::format("{} on {}", mount.type, mount.point), ""});
  if (refused && cache->error().code() == Errc::unsupported_filesystem) {
    checks.back().state = State::fail;
    checks.back().cure = cache->error().help();
  }
  checks.push_back(check_permissions(place, exists));
  checks.push_back(check_space(place, stats ? &*stats : nullptr));
  checks.push_back(check_locks(place));
  checks.push_back(check_mappings());
  checks.push_back(check_files());
  if (refused) {
    checks.push_back({State::fail, "store", cache->error().what(), cache->error().help()});
  } else if (stats) {
    checks.push_back(check_store(*stats));
  }
  const int status = print_checks(globals, checks);
  require_store(directory);
  return status;
}

}  // namespace

const Verb k_doctor = {
    "doctor", "Check what could keep the store from working here",
    "Ends with 0 if all is well, 4 if something is worth a look, 1 if something has to be cured, 5 if there is\n"
    "no store yet. Nothing is changed.\n\nExample:\n  larder doctor --dir /var/cache/fit",
    [](CLI::App&) -> Action { return run; }};

}  // namespace larder::tool
