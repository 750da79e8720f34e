// What is done before the clock starts, so that nobody pays for what others left behind.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace bench {

[[nodiscard]] inline std::uint64_t memory_bytes() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Waits until the disk has nothing to write.
inline void settle(const std::filesystem::path& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || syncfs(fd) != 0) throw std::runtime_error("cannot sync " + directory.string());
  close(fd);
}

// Uses as much free memory once as putting so many bytes takes, in the page cache and for a copy or two that many a
// system makes, but at most an eighth of all: more would be written to the disk. The host of a virtual machine takes
// back what is free for some seconds, and whoever is the first to use it again waits ten times as long for it as
// writing to it takes: a matter of whose turn it is. By a file, since the system keeps free memory apart by what it was
// used for.
inline void ready_memory(const std::filesystem::path& directory, std::uint64_t bytes_put) {
  const std::vector<std::byte> part(std::size_t{1} << 20, std::byte{1});
  const int fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  bool written = fd >= 0;
  for (std::uint64_t i = std::min(3 * bytes_put, memory_bytes() / 8) / part.size(); i != 0 && written; --i) {
    written = write(fd, part.data(), part.size()) == static_cast<ssize_t>(part.size());
  }
  if (!written) throw std::system_error(errno, std::generic_category(), "a file in " + directory.string());
  close(fd);
}

}  // namespace bench
