// No cache at all: write() of the values into one file a process. What is left for a cache to lose.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "peers/files.hpp"

namespace bench {

class PlainWrite {
 public:
  static constexpr const char* k_name = "plain write()";
  static std::vector<Access> accesses() { return {}; }
  static std::string configuration() { return "write() of the value to the end of a file of the process's own"; }

  PlainWrite(const std::filesystem::path& directory, const Setup&) {
    std::filesystem::create_directories(directory);
    const std::string path = (directory / std::to_string(getpid())).string();
    fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), path);
  }
  ~PlainWrite() { ::close(fd_); }
  PlainWrite(const PlainWrite&) = delete;
  PlainWrite& operator=(const PlainWrite&) = delete;

  void put(const Key&, Bytes value) { Files::write_all(fd_, value); }
  template <class Read>
  bool get(const Key&, How, Read&&) {
    return false;
  }
  void finish() {}

 private:
  int fd_ = -1;
};

}  // namespace bench
