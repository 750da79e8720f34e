#include "output_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>

#include <fmt/format.h>

#include <larder/units.hpp>

#include "output.hpp"
#include "transfer.hpp"

namespace larder::tool {
namespace {

constexpr mode_t k_permission_bits = 0777;

Error refusal(const char* what, const std::string& path, const char* help) {
  const int code = errno;
  return Error(code == ENOSPC ? Errc::no_space : Errc::io,
               fmt::format("--out {} cannot be {}: {}", printable(path), what, std::strerror(code)), help);
}

Error unreadable(const std::string& path) {
  return refusal("read", path, "--out names a file that the command writes");
}

Error unwritable(const std::string& path) {
  return refusal("written", path, "let this user write there");
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Where writing to `path` ends up: behind symbolic links, whether or not the last one leads to a file.
Result<std::filesystem::path> target_of(std::filesystem::path path) {
  constexpr int k_links_max = 40;  // what the kernel follows
  std::error_code no_link;
  for (int i = 0; i < k_links_max; ++i) {
    const std::filesystem::path next = std::filesystem::read_symlink(path, no_link);
    if (no_link) return path;
    path = path.parent_path() / next;
  }
  errno = ELOOP;
  return unwritable(path);
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

Result<std::vector<OutputFiles::Recorded>> OutputFiles::record(Recording& recording, std::uint64_t bytes_max) const {
  std::vector<Recorded> files;
  std::vector<char> buffer(std::size_t{1} << 20);
  for (const Before& before : before_) {
    const std::string& path = before.path;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return unreadable(path);
    if (!S_ISREG(status.st_mode)) {
      return Error(Errc::io, fmt::format("--out {} is not a regular file", printable(path)),
                   "--out names a file that the command writes");
    }
    if (look(path) == before) {
      return Error(Errc::io, fmt::format("--out {} was there and the command left it alone", printable(path)),
                   "remove it before, or drop --out");
    }
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    if (bytes > bytes_max) {
      return Error(Errc::no_space,
                   fmt::format("--out {} makes the result larger than {}", printable(path), format_size(bytes_max)));
    }
    bytes_max -= bytes;
    recording.begin_file(path, status.st_mode & k_permission_bits, bytes);
    std::uint64_t left = bytes;
    while (left > 0) {
      const ssize_t got = read_some(file.get(), std::span(buffer).first(std::min<std::uint64_t>(left, buffer.size())));
      if (got < 0) return unreadable(path);
      if (got == 0) {
        return Error(Errc::io, fmt::format("--out {} was shortened while it was read", printable(path)),
                     "let the command end when it has written its files");
      }
      recording.write({buffer.data(), static_cast<std::size_t>(got)});
      left -= static_cast<std::uint64_t>(got);
    }
    files.push_back({path, bytes});
  }
  return files;
}

std::vector<std::string> distinct_outputs(std::vector<std::string> paths) {
  std::ranges::sort(paths);
  std::set<std::filesystem::path> places;
  std::erase_if(paths, [&](const std::string& path) {
    std::error_code ignored;  // without a working directory the texts are compared
    const std::filesystem::path absolute = std::filesystem::absolute(path, ignored);
    std::filesystem::path place;
    for (const std::filesystem::path& part : absolute.empty() ? std::filesystem::path(path) : absolute) {
      if (part != ".") place /= part;  // `..` stays: what is before it may be a link
    }
    return !places.insert(place).second;
  });
  return paths;
}

Result<void> restore(const std::string& path, std::uint32_t mode, std::string_view bytes) {
  const Result<std::filesystem::path> target = target_of(path);
  if (!target) return target.error();
  const std::filesystem::path parent = target->parent_path();
  std::error_code ignored;  // what went wrong shows when the file is made
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  std::string temporary = target->string() + ".larder-XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return unwritable(path);
  const auto give_up = [&] {
    Error error = unwritable(path);
    ::unlink(temporary.c_str());
    return error;
  };
  if (write_all(file.get(), bytes) != 0) return give_up();
  if (::fchmod(file.get(), mode & k_permission_bits) != 0) return give_up();
  if (::rename(temporary.c_str(), target->c_str()) != 0) return give_up();
  return {};
}

}  // namespace larder::tool
