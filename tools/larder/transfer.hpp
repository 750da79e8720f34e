// Bytes to and from descriptors that others gave us. Such a descriptor may be non-blocking (a CI runner's pipe, that of
// a Node.js parent): "not now" then means to wait, not to fail.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

namespace larder::tool {

// Writes all of it. An errno, or 0.
[[nodiscard]] int write_all(int fd, std::string_view bytes);

// Reads once: how many bytes there were, 0 at the end, or -1 and errno.
[[nodiscard]] ssize_t read_some(int fd, std::span<char> buffer);

// Appends what there is to read to `bytes`, a container of bytes, and stops where that makes more than `bytes_max`.
// An errno, or 0.
template <class Container>
[[nodiscard]] int read_all(int fd, Container& bytes, std::uint64_t bytes_max = UINT64_MAX) {
  for (;;) {
    constexpr std::size_t k_step = 1 << 20;
    const std::size_t before = bytes.size();
    bytes.resize(before + k_step);
    const ssize_t got = read_some(fd, {reinterpret_cast<char*>(bytes.data()) + before, k_step});
    bytes.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0) return errno;
    if (got == 0 || bytes.size() > bytes_max) return 0;
  }
}

// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace larder::tool
