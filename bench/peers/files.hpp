// One file for each value, named by the key's fingerprint, in 256 directories: what many caches of results do.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "peers/peer.hpp"

namespace bench {

class Files {
 public:
  static constexpr const char* k_name = "files";
  // More take minutes to make and to remove, and each lookup and put costs nearly the same.
  static constexpr std::uint64_t k_records_max = 10'000;
  static constexpr std::uint64_t k_puts_max = 1'000;
  static std::vector<Access> accesses() { return {{How::view, "file mmap"}, {How::copy, "file read"}}; }
  static std::string configuration() {
    return "open, fstat, read or mmap, close; put writes a temporary file and renames it; at most 10000 files, 1000 in "
           "a round of puts; neither "
           "key nor value is verified";
  }

  Files(const std::filesystem::path& directory, const Setup&) : root_(directory.string() + "/") {
    std::filesystem::create_directories(directory);
    for (unsigned i = 0; i < 256; ++i) {
      const std::array<char, 3> name = {k_hex[i >> 4], k_hex[i & 15], 0};
      std::filesystem::create_directory(directory / name.data());
    }
  }

  void put(const Key& key, Bytes value) {
    const std::string path = path_of(key);
    const std::string temporary = root_ + "new." + std::to_string(getpid());
    {
      const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      write_all(file.fd, value);
    }
    check(rename(temporary.c_str(), path.c_str()) == 0);
  }

  template <class Read>
  bool get(const Key& key, How how, Read&& read) {
    const int fd = open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return false;
    const Descriptor file(fd);
    struct stat status {};
    check(fstat(file.fd, &status) == 0);
    const auto size = static_cast<std::size_t>(status.st_size);
    if (how == How::view) {
      void* mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd, 0);
      check(mapped != MAP_FAILED);
      read(Bytes(static_cast<const std::byte*>(mapped), size));
      munmap(mapped, size);
    } else {
      const auto copy = buffer(size);
      std::size_t done = 0;
      while (done < size) {
        const ssize_t part = ::read(file.fd, copy.get() + done, size - done);
        check(part > 0);
        done += static_cast<std::size_t>(part);
      }
      read(Bytes(copy.get(), size));
    }
    return true;
  }

  void finish() {}

  static void write_all(int fd, Bytes value) {
    while (!value.empty()) {
      const ssize_t part = ::write(fd, value.data(), value.size());
      check(part > 0);
      value = value.subspan(static_cast<std::size_t>(part));
    }
  }

 private:
  static constexpr const char* k_hex = "0123456789abcdef";

  struct Descriptor {
    explicit Descriptor(int opened) : fd(opened) { check(fd >= 0); }
    ~Descriptor() { ::close(fd); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int fd;
  };

  static void check(bool ok) {
    if (!ok) throw std::system_error(errno, std::generic_category(), "files");
  }
  std::string path_of(const Key& key) const {
    std::string path = root_;
    std::uint64_t word = key.key.fingerprint().high;
    for (int digit = 0; digit < 32; ++digit, word <<= 4) {
      if (digit == 2) path += '/';
      if (digit == 16) word = key.key.fingerprint().low;
      path += k_hex[word >> 60];
    }
    return path;
  }

  std::string root_;
};

}  // namespace bench
