#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "os/make.hpp"
#include "os/os.hpp"
#include "os/refuse.hpp"

namespace larder::os {

namespace {
// A write is cut into calls of at most this size: large enough that the page cache uses large folios
// (a mapped page then costs 24 ns to touch instead of 330), small enough to be interruptible.
constexpr std::size_t k_write_bytes_max = std::size_t{8} << 20;

// An errno if the process may not make a file as long as that. The system would not only refuse: it would
// raise SIGXFSZ, which ends a program that has no handler for it.
int beyond_size_limit(std::uint64_t bytes) {
  rlimit limit{};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur ? EFBIG : 0;
}

// Opens a file of the store. -1 and errno as open(2).
int open_own(const std::string& path, int flags) noexcept {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

// Makes a file that must not be there yet, and opens it. -1 and errno as open(2).
int make_own(const std::string& path, int flags, const Audience& audience) {
  const std::string half_made = half_made_beside(path);
  const int fd = open_own(half_made, flags | O_CREAT | O_EXCL);
  if (fd < 0) return -1;
  reached("os.file.half_made");
  int code = 0;
  // The group first: to change it may take permission bits away.
  if (audience.group && ::fchown(fd, k_keep_owner, *audience.group) != 0) code = errno;
  if (code == 0 && ::fchmod(fd, audience.file_mode()) != 0) code = errno;
  if (code == 0) {
    code = give_name(half_made, path);
  } else {
    ::unlink(half_made.c_str());
  }
  if (code == 0) return fd;
  ::close(fd);
  errno = code;
  return -1;
}
}  // namespace

Error error(int code, const char* call, const std::string& path) {
  const std::string what = std::string(call) + " " + path + ": " + std::strerror(code);
  switch (code) {
    case ENOENT:
      return {Errc::not_found, what};
    case EACCES:
    case EPERM:
    case EROFS:
      return {Errc::permission, what, "check who owns the directory and its modes, or choose another one"};
    case ENOSPC:
    case EDQUOT:
      return {Errc::no_space, what, "free space on that file system, or lower the store's limit"};
    case EFBIG:
      return {Errc::no_space, what, "raise the limit on the size of the process's files (ulimit -f)"};
    case EMFILE:
    case ENFILE:
      return {Errc::exhausted, what, "close files, or raise the limit on open files (ulimit -n)"};
    case ENOMEM:
      return {Errc::exhausted, what, "free memory, or raise the limit on mappings (sysctl vm.max_map_count)"};
    default:
      return {Errc::io, what};
  }
}

File::~File() {
  close();
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

void File::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<File> File::open(const std::filesystem::path& path, int flags, const Audience& audience) {
  File file;
  file.path_ = path.string();
  if (const int code = refused(Call::open, file.path_)) return error(code, "open", file.path_);
  const bool anew = (flags & O_EXCL) != 0;
  do {  // again if somebody else made it between the two
    if (!anew) file.fd_ = open_own(file.path_, flags & ~O_CREAT);
    const bool missing = anew || (file.fd_ < 0 && errno == ENOENT);
    if (missing && (flags & O_CREAT) != 0) file.fd_ = make_own(file.path_, flags, audience);
  } while (file.fd_ < 0 && errno == EEXIST && !anew);
  if (file.fd_ < 0) return error(errno, "open", file.path_);
  return file;
}

Result<File> File::open_regular(const std::filesystem::path& path) {
  File file;
  file.path_ = path.string();
  if (const int code = refused(Call::open, file.path_)) return error(code, "open", file.path_);
  // Asked before it is opened: to open a FIFO and close it again would end whoever writes to it.
  struct stat status {};
  if (::stat(file.path_.c_str(), &status) != 0) return error(errno, "open", file.path_);
  if (S_ISDIR(status.st_mode)) return Error(Errc::io, file.path_ + " is a directory", "name the files in it");
  if (!S_ISREG(status.st_mode)) {
    return Error(Errc::io, file.path_ + " is not a regular file", "write what it yields to a file, and name that");
  }
  do {
    file.fd_ = ::open(file.path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (file.fd_ < 0 && errno == EINTR);
  if (file.fd_ < 0) return error(errno, "open", file.path_);
  return file;
}

Result<void> File::write_at(std::uint64_t offset, std::span<const Bytes> pieces) const {
  if (const int code = refused(Call::write, path_)) return error(code, "write", path_);
  std::uint64_t end = offset;
  for (const Bytes bytes : pieces) end += bytes.size();
  if (const int code = beyond_size_limit(end)) return error(code, "write", path_);
  std::vector<iovec> batch;
  std::size_t piece = 0;
  std::size_t within = 0;  // bytes of pieces[piece] that are already written
  while (true) {
    batch.clear();
    std::size_t batch_bytes = 0;
    std::size_t skip = within;
    for (std::size_t i = piece; i < pieces.size() && batch.size() < IOV_MAX && batch_bytes < k_write_bytes_max; ++i) {
      const Bytes rest = pieces[i].subspan(std::exchange(skip, 0));
      const std::size_t length = std::min(rest.size(), k_write_bytes_max - batch_bytes);
      if (length == 0) continue;
      batch.push_back({const_cast<std::byte*>(rest.data()), length});
      batch_bytes += length;
    }
    if (batch.empty()) return {};
    const ssize_t written = ::pwritev(fd_, batch.data(), static_cast<int>(batch.size()), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return error(errno, "write", path_);
    }
    if (written == 0) return error(EIO, "write", path_);
    offset += static_cast<std::uint64_t>(written);
    auto advance = static_cast<std::size_t>(written);
    while (advance > 0) {
      const std::size_t rest = pieces[piece].size() - within;
      if (advance < rest) {
        within += advance;
        advance = 0;
      } else {
        advance -= rest;
        ++piece;
        within = 0;
      }
    }
  }
}

Result<std::size_t> File::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  if (const int code = refused(Call::read, path_)) return error(code, "read", path_);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0) {
      if (errno == EINTR) continue;
      return error(errno, "read", path_);
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::uint64_t> File::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return error(errno, "stat", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> File::allocate(std::uint64_t bytes) const {
  if (const int code = refused(Call::allocate, path_)) return error(code, "allocate", path_);
  const Result<std::uint64_t> size_now = size();
  if (!size_now) return size_now.error();
  if (const int code = bytes > *size_now ? beyond_size_limit(bytes) : 0) return error(code, "allocate", path_);
  // On btrfs a block that is written again moves to a new place, which may fail however much room the
  // file has, unless copy-on-write is off. Elsewhere the flag is refused, and not needed.
  int flags = 0;
  if (::ioctl(fd_, FS_IOC_GETFLAGS, &flags) == 0) {
    flags |= FS_NOCOW_FL;
    ::ioctl(fd_, FS_IOC_SETFLAGS, &flags);
  }
  int code = 0;
  do {
    code = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  } while (code == EINTR);
  if (code != 0) return error(code, "allocate", path_);
  return {};
}

Result<void> File::sync() const {
  if (const int code = refused(Call::sync, path_)) return error(code, "sync", path_);
  if (::fdatasync(fd_) != 0) return error(errno, "sync", path_);
  return {};
}

void File::start_writeback(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE);
}

void File::wait_for_writeback(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes),
                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Result<Mapping> Mapping::map(const File& file, std::uint64_t bytes, Access access) {
  if (const int code = refused(Call::map, file.path())) return error(code, "map", file.path());
  const int protection = access == Access::read ? PROT_READ : PROT_READ | PROT_WRITE;
  void* address = ::mmap(nullptr, bytes, protection, MAP_SHARED, file.fd(), 0);
  if (address == MAP_FAILED) return error(errno, "map", file.path());
  Mapping mapping;
  mapping.data_ = static_cast<std::byte*>(address);
  mapping.size_ = bytes;
  return mapping;
}

Result<void> Mapping::populate(std::uint64_t offset, std::uint64_t bytes, const std::string& path) const {
  if (const int code = refused(Call::populate, path)) return error(code, "read", path);
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t first = offset & ~(page - 1);
  const std::uint64_t length = offset + bytes - first;
#ifndef MADV_POPULATE_READ
  constexpr int MADV_POPULATE_READ = 22;
#endif
  // Asked for first, exactly this much is read: a fault reads what lies around it, too, as far as the device's
  // read-ahead goes, which may be many times as much.
  static_cast<void>(::madvise(data_ + first, length, MADV_WILLNEED));
  // EINVAL: a kernel before 5.14, which cannot populate; the pages are then touched unprepared.
  if (::madvise(data_ + first, length, MADV_POPULATE_READ) != 0 && errno != EINVAL) {
    return error(errno == EFAULT ? EIO : errno, "read", path);
  }
  return {};
}

}  // namespace larder::os
