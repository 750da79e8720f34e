// What is done before the clock starts, so that nobody pays for what others left behind.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <system_error>

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
// system makes, but at most half of all. The host of a virtual machine takes back what is free for some seconds, and
// whoever is the first to use it again waits ten times as long for it as writing to it takes: a matter of whose turn it
// is.
inline void ready_memory(std::uint64_t bytes_put) {
  const std::size_t used = std::min(3 * bytes_put, memory_bytes() / 2);
  void* const memory =
      mmap(nullptr, used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "memory to use once");
  munmap(memory, used);
}

}  // namespace bench
