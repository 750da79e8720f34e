// What stands in a directory: every name, mode, time of change and byte. So that "untouched" means that.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace larder::test {

// By path, in words that a failing comparison can print.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& directory) {
  std::map<std::string, std::string> all;
  const auto add = [&](const std::filesystem::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return;
    std::string text = std::to_string(status.st_mode) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
                       std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_size);
    if (S_ISREG(status.st_mode)) {
      std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
      std::ifstream(path, std::ios::binary).read(bytes.data(), status.st_size);
      text += " " + std::to_string(std::hash<std::string>()(bytes));
    }
    all[path.string()] = text;
  };
  add(directory);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) add(entry.path());
  return all;
}

}  // namespace larder::test
