// `larder doctor`: what could keep the store from working here, each line with its cure.
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

#include "checks.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

constexpr const char* k_state_names[] = {"ok", "warn", "fail"};

constexpr std::uint64_t k_maps_min = 65530;  // what Linux starts with
constexpr rlim_t k_files_min = 1024;

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

Check check_file_system(const Mount& mount) {
  std::string text = fmt::format("{} on {}", mount.type, mount.point);
  if (mount.type == "tmpfs") {
    text += ": it is memory, and what is in it is gone after a restart";
    std::uint64_t bytes = 0;
    if (std::ifstream("/sys/fs/cgroup/memory.max") >> bytes) {
      text += fmt::format("; it counts against the {} that the programs of this group may have", format_size(bytes));
    }
  }
  return {State::ok, "file system", text, ""};
}

// The directory itself, or where it does not exist the nearest thing above it that does.
std::filesystem::path nearest(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::filesystem::path path = std::filesystem::absolute(directory);
  // A link that leads nowhere is there, and in the way.
  while (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored)) && path != path.parent_path()) {
    path = path.parent_path();
  }
  return path;
}

// `own`: it is the store's directory, which has to be the user's alone, or a group's.
Check check_permissions(const std::filesystem::path& place, bool own) {
  const std::string name = place.string();
  const uid_t user = ::geteuid();
  struct stat status {};
  if (::stat(name.c_str(), &status) != 0) {
    return {State::fail, "permissions", fmt::format("{}: {}", name, std::strerror(errno)), k_other_directory};
  }
  if (!S_ISDIR(status.st_mode)) {
    return {State::fail, "permissions", fmt::format("{} is not a directory", name), k_other_directory};
  }
  const std::string give = fmt::format("{}, or make it yours: sudo chown -R {} {}", k_other_directory, user, name);
  // Whether that group is the one that is asked for is seen when the store is opened.
  const bool shared = (status.st_mode & 07777) == (S_ISGID | S_IRWXU | S_IRWXG);
  if (own && !shared && status.st_uid != user) {
    return {State::fail, "permissions", fmt::format("{} belongs to user {}, not {}", name, status.st_uid, user), give};
  }
  if (::access(name.c_str(), R_OK | W_OK | X_OK) != 0) {
    const int code = errno;
    const std::string cure = code == EROFS           ? fmt::format("mount it writable, or {}", k_other_directory)
                             : code != EACCES        ? k_other_directory
                             : status.st_uid == user ? fmt::format("chmod u+rwx {}", name)
                             : shared                ? fmt::format("join its group, or {}", k_other_directory)
                                                     : give;
    return {State::fail, "permissions", fmt::format("{} may not be written: {}", name, std::strerror(code)), cure};
  }
  if (own && !shared && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return {State::fail, "permissions", fmt::format("other users may write {}", name),
            fmt::format("chmod go-w {}", name)};
  }
  return {State::ok, "permissions", fmt::format("{} may be read and written", name), ""};
}

// Of the store's directory and those in it the first that cannot be used, or that all can.
Check check_all_permissions(const std::filesystem::path& directory) {
  Check check = check_permissions(directory, true);
  for (const char* inside : {"v1", "v1/seg", "v1/locks"}) {
    const std::filesystem::path place = directory / inside;
    std::error_code ignored;
    if (check.state != State::ok || !std::filesystem::exists(place, ignored)) break;
    if (Check other = check_permissions(place, false); other.state != State::ok) check = std::move(other);
  }
  return check;
}

Check check_space(const std::filesystem::path& place, const Stats* stats) {
  std::error_code code;
  const std::filesystem::space_info space = std::filesystem::space(place, code);
  if (code) return {State::fail, "space", code.message(), k_other_directory};
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
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < k_files_min) {
    return {State::warn, "open files", fmt::format("a process may have {}", limit.rlim_cur),
            fmt::format("ulimit -n {}", k_files_min)};
  }
  return {State::ok, "open files", fmt::format("a process may have {}", limit.rlim_cur), ""};
}

constexpr const char* k_free_space = "free some space there, or name another directory with --dir or LARDER_DIR";

// What helps where a store is not used because of `error`. `v1` is the store's directory; empty for one that will be
// gone. Only what is damaged is worth deleting: for every other reason a whole store is behind it.
std::string cure_of(const Error& error, const std::filesystem::path& v1) {
  // An error has the system's words at its end, not their number.
  const auto says = [&](int code) { return std::string_view(error.what()).ends_with(std::strerror(code)); };
  if (says(EMFILE)) return fmt::format("ulimit -n {} or more", k_files_min);
  if (says(ENFILE)) return "end programs that hold many files, or allow the machine more: sysctl fs.file-max";
  if (says(ENOMEM)) return fmt::format("ulimit -v unlimited, sysctl vm.max_map_count={}", k_maps_min);
  if (says(EFBIG)) return "ulimit -f unlimited";
  if (says(EROFS)) return fmt::format("mount it writable, or {}", k_other_directory);
  if (says(EIO)) return fmt::format("dmesg tells whether the disk fails; {}", k_other_directory);
  if (error.code() == Errc::no_space) return k_free_space;
  const bool modes = says(EACCES) || says(EPERM);
  if (error.code() == Errc::unsupported_filesystem || error.code() == Errc::incompatible_format ||
      error.code() == Errc::invalid_option || (error.code() == Errc::permission && !modes)) {
    return error.help();
  }
  if (v1.empty()) return k_other_directory;
  if (modes) {
    return fmt::format("sudo chown -R {0} {1}, chmod -R u+rwX {1}, or {2}", ::geteuid(), v1.string(),
                       k_other_directory);
  }
  const bool misplaced = says(EISDIR) || says(ELOOP);  // something that no larder made, instead of a file
  if (error.code() == Errc::damaged || misplaced) {
    return fmt::format("rm -r {} (what it holds is computed again)", v1.string());
  }
  return k_other_directory;
}

Check refused(const char* name, const Error& error, const std::filesystem::path& v1) {
  return {State::fail, name, error.what(), cure_of(error, v1)};
}

// Does what the first `larder exec` would do, in a directory that is gone afterwards.
Check check_trial(const Globals& globals, const std::filesystem::path& place) {
  std::string scratch = (place / ".larder-doctor-XXXXXX").string();
  if (::mkdtemp(scratch.data()) == nullptr) {
    return {State::fail, "trial",
            fmt::format("no directory can be made in {}: {}", place.string(), std::strerror(errno)), k_other_directory};
  }
  Check check = [&]() -> Check {
    Result<Cache> cache = open_store(std::filesystem::path(scratch) / "store", store_shared(globals));
    if (!cache) return refused("trial", cache.error(), {});
    const Key key("trial");
    cache->put(key, std::string("value"));
    if (!cache->contains(key)) return refused("trial", why_not_stored(*cache), {});
    return {State::ok, "trial", fmt::format("a store in {} works", place.string()), ""};
  }();
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
  return check;
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
  std::vector<Check> checks = {check_file_system(mount)};
  const bool own = place == std::filesystem::absolute(directory);
  checks.push_back(own ? check_all_permissions(directory) : check_permissions(place, false));
  // What comes now takes a directory that may be read and written.
  const bool usable = checks.back().state == State::ok;
  const bool exists = usable && own && store_exists(directory);
  if (exists) {
    const StoreLook look = look_at_store(directory);
    Result<Cache> cache = open_store(globals);
    const Stats stats = cache ? cache->shared_stats() : Stats{};
    checks.push_back(check_space(place, cache ? &stats : nullptr));
    if (cache) {
      for (Check& check : check_store(globals, look, *cache, stats)) checks.push_back(std::move(check));
    } else {
      checks.push_back(refused("store", cache.error(), directory / "v1"));
    }
  } else if (usable) {
    checks.push_back(check_space(place, nullptr));
    checks.push_back({State::ok, "store", no_store_yet(directory), ""});
  }
  // A store that is refused is left as it is, also the directory around it.
  if (usable && checks.back().state != State::fail) checks.push_back(check_trial(globals, place));
  checks.push_back(check_mappings());
  checks.push_back(check_files());
  const int status = print_checks(globals, checks);
  return status == static_cast<int>(Exit::ok) && !exists ? static_cast<int>(Exit::no_store) : status;
}

}  // namespace

const Verb k_doctor = {
    "doctor", "[OPTION]...", "Check what could keep the store from working here",
    "Ends with 0 if all is well, 5 if all is well and there is no store yet, 4 if something is worth a look, 1 if\n"
    "something has to be cured. Opens the store as every program does, and makes one in a directory that is gone\n"
    "afterwards, as the first `larder exec` would.\n\nExample:\n  larder doctor --dir /var/cache/fit",
    [](CLI::App&) -> Action { return run; }};

}  // namespace larder::tool
