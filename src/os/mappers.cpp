// Which processes map files: what /proc tells of them.
#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>

#include "os/os.hpp"

namespace larder::os {

namespace {

// The whole text of a file of /proc, or an errno.
int read_proc(const std::string& path, std::string& text) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  std::array<char, 16 * 1024> block;
  ssize_t got = 0;
  while ((got = ::read(fd, block.data(), block.size())) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) text.append(block.data(), static_cast<std::size_t>(got));
  }
  const int code = got < 0 ? errno : 0;
  ::close(fd);
  return code;
}

std::uint64_t hexadecimal(std::string_view digits) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

// The files below `prefix` in the lines `FROM-TO MODES OFFSET DEVICE INODE   PATH`.
std::vector<MappedFile> files_in(const std::string& maps, std::string_view prefix) {
  constexpr std::string_view k_deleted = " (deleted)";
  std::vector<MappedFile> files;
  std::istringstream lines(maps);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find('/');
    if (start == std::string::npos || line.compare(start, prefix.size(), prefix) != 0) continue;
    const std::size_t dash = line.find('-');
    const std::string_view to = std::string_view(line).substr(dash + 1, line.find(' ') - dash - 1);
    MappedFile file{line.substr(start), hexadecimal(to) - hexadecimal(std::string_view(line).substr(0, dash)), false};
    if (file.path.ends_with(k_deleted)) {
      file.path.resize(file.path.size() - k_deleted.size());
      file.deleted = true;
    }
    const auto same = std::ranges::find(files, file.path, &MappedFile::path);
    if (same == files.end()) {
      files.push_back(std::move(file));
    } else {
      same->bytes = std::max(same->bytes, file.bytes);
    }
  }
  return files;
}

}  // namespace

Mappers mappers(const std::filesystem::path& directory) {
  Mappers result;
  const Result<std::vector<std::string>> names = list("/proc");
  if (!names) return result;
  const std::string prefix = (directory / "").string();
  for (const std::string& name : *names) {
    pid_t pid = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (failed != std::errc{} || end != name.data() + name.size()) continue;
    std::string maps;
    const int code = read_proc("/proc/" + name + "/maps", maps);
    if (code == EACCES || code == EPERM) ++result.unreadable;
    if (code != 0) continue;  // it ended meanwhile
    std::vector<MappedFile> files = files_in(maps, prefix);
    if (files.empty()) continue;
    std::string command;
    static_cast<void>(read_proc("/proc/" + name + "/comm", command));
    while (command.ends_with('\n')) command.pop_back();
    result.processes.push_back({pid, std::move(command), std::move(files)});
  }
  return result;
}

}  // namespace larder::os
