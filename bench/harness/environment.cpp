#include "harness/environment.hpp"

#include <sys/utsname.h>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <larder/version.hpp>
#include <sstream>
#include <string_view>
#include <thread>

#include "bench_commit.hpp"

namespace bench {
namespace {

// The rest of the first line of `file` that starts with `name`, without the colon.
std::string field(const char* file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "unknown";
}

// The type of the mount that holds `directory`: of the longest mount point that is a prefix of it.
std::string file_system(const std::filesystem::path& directory) {
  const std::string path = std::filesystem::canonical(directory).string();
  std::ifstream in("/proc/self/mounts");
  std::string type = "unknown";
  std::size_t longest = 0;
  for (std::string device, point, kind, rest; in >> device >> point >> kind && std::getline(in, rest);) {
    const bool holds = point == "/" || path == point || path.starts_with(point + "/");
    if (holds && point.size() >= longest) {
      longest = point.size();
      type = kind;
    }
  }
  return type;
}

std::string kernel() {
  utsname name{};
  return uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "unknown";
}

std::string date() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char text[32];
  std::tm parts{};
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
  return text;
}

std::string load() {
  double averages[1] = {0};
  std::ostringstream text;
  if (getloadavg(averages, 1) == 1) text << averages[0] << " (average of the last minute before the run)";
  return text.str();
}

std::string joined(int argc, char** argv) {
  std::string text;
  for (int i = 0; i < argc; ++i) text += (i > 0 ? " " : "") + std::string(argv[i]);
  return text;
}

}  // namespace

Environment describe(int argc, char** argv, const std::filesystem::path& directory, int repetitions) {
  Environment environment;
  environment.repetitions = repetitions;
  environment.facts = {
      {"date", date()},
      {"command", joined(argc, argv)},
      {"larder", larder::k_version_text},
      {"commit", k_commit},
      {"build", k_build_type + std::string(", compiler ") + __VERSION__},
      {"cpu", field("/proc/cpuinfo", "model name")},
      {"cores", std::to_string(std::thread::hardware_concurrency())},
      {"memory", field("/proc/meminfo", "MemTotal")},
      {"load", load()},
      {"kernel", kernel()},
      {"file system", file_system(directory)},
  };
  return environment;
}

}  // namespace bench
