#include "output_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include <larder/units.hpp>

namespace larder::tool {
namespace {

constexpr mode_t k_permission_bits = 0777;

Error refusal(const char* what, const std::string& path) {
  const int code = errno;
  return Error(code == ENOSPC ? Errc::no_space : Errc::io,
               fmt::format("{} cannot be {}: {}", path, what, std::strerror(code)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The bytes of the file, at most `bytes_max` of them: it may still be growing.
Result<std::string> read_all(int fd, const std::string& path, std::uint64_t bytes_max) {
  std::string bytes;
  for (;;) {
    constexpr std::size_t k_step = 1 << 20;
    const std::size_t before = bytes.size();
    bytes.resize(before + k_step);
    const ssize_t got = ::read(fd, bytes.data() + before, k_step);
    bytes.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && errno != EINTR) return refusal("read", path);
    if (got == 0) return bytes;
    if (bytes.size() > bytes_max) {
      return Error(Errc::no_space, fmt::format("{} makes the result larger than {}", path, format_size(bytes_max)));
    }
  }
}

}  // namespace

OutputFiles::OutputFiles(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) before_.push_back(look(path));
}

OutputFiles::Before OutputFiles::look(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {path, false, 0, 0, 0, 0, 0};
  return {path,
          true,
          status.st_dev,
          status.st_ino,
          static_cast<std::uint64_t>(status.st_size),
          nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

Result<std::vector<OutputFile>> OutputFiles::read(std::uint64_t bytes_max) const {
  std::vector<OutputFile> files;
  for (const Before& before : before_) {
    const std::string& path = before.path;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return refusal("read", path);
    if (!S_ISREG(status.st_mode)) return Error(Errc::io, fmt::format("{} is not a regular file", path));
    if (look(path) == before) return Error(Errc::io, fmt::format("{} was there and the command left it alone", path));
    Result<std::string> bytes = read_all(file.get(), path, bytes_max);
    if (!bytes) return bytes.error();
    bytes_max -= bytes->size();
    files.push_back({path, status.st_mode & k_permission_bits, *std::move(bytes)});
  }
  return files;
}

Result<void> restore(const std::string& path, std::uint32_t mode, std::string_view bytes) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code ignored;  // what went wrong shows when the file is made
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  std::string temporary = path + ".larder-XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return refusal("written", path);
  const auto give_up = [&] {
    Error error = refusal("written", path);
    ::unlink(temporary.c_str());
    return error;
  };
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return give_up();
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fchmod(file.get(), mode & k_permission_bits) != 0) return give_up();
  if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up();
  return {};
}

}  // namespace larder::tool
