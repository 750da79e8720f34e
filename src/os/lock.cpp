#include <fcntl.h>
#include <unistd.h>
#include <cerrno>

#include "os/os.hpp"
#include "os/refuse.hpp"

namespace larder::os {

namespace {

struct flock one_byte(short type, std::uint64_t offset) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(offset);
  range.l_len = 1;
  return range;
}

Result<bool> try_lock(const File& file, short type, std::uint64_t offset) {
  if (const int code = refused(Call::lock, file.path())) return error(code, "lock", file.path());
  struct flock range = one_byte(type, offset);
  while (::fcntl(file.fd(), F_OFD_SETLK, &range) != 0) {
    if (errno == EAGAIN || errno == EACCES) return false;
    if (errno != EINTR) return error(errno, "lock", file.path());
  }
  return true;
}

bool held_elsewhere(int fd, std::uint64_t offset) noexcept {
  struct flock range = one_byte(F_WRLCK, offset);
  return ::fcntl(fd, F_OFD_GETLK, &range) != 0 || range.l_type != F_UNLCK;
}

}  // namespace

Result<LockFile> LockFile::open(const std::filesystem::path& path, const Audience& audience) {
  return open(path, O_RDWR | O_CREAT, audience);
}

Result<LockFile> LockFile::open_existing(const std::filesystem::path& path) {
  return open(path, O_RDWR, {});
}

Result<LockFile> LockFile::open(const std::filesystem::path& path, int flags, const Audience& audience) {
  Result<File> file = File::open(path, flags, audience);
  if (!file) return file.error();
  LockFile lock;
  lock.file_ = *std::move(file);
  return lock;
}

Result<bool> LockFile::try_lock(std::uint64_t offset) const {
  return os::try_lock(file_, F_WRLCK, offset);
}

Result<bool> LockFile::try_lock_shared(std::uint64_t offset) const {
  return os::try_lock(file_, F_RDLCK, offset);
}

Result<void> LockFile::lock(std::uint64_t offset) const {
  if (const int code = refused(Call::lock, file_.path())) return error(code, "lock", file_.path());
  struct flock range = one_byte(F_WRLCK, offset);
  while (::fcntl(file_.fd(), F_OFD_SETLKW, &range) != 0) {
    if (errno != EINTR) return error(errno, "lock", file_.path());
  }
  return {};
}

void LockFile::unlock(std::uint64_t offset) const noexcept {
  struct flock range = one_byte(F_UNLCK, offset);
  ::fcntl(file_.fd(), F_OFD_SETLK, &range);
}

bool LockFile::held_elsewhere(std::uint64_t offset) const noexcept {
  return os::held_elsewhere(file_.fd(), offset);
}

// A mapping refers to the open file that it was made of. So the lock outlives the descriptor, and goes with the
// last of both. (Not on an overlay, where a mapping refers to the file below.)
Result<void> File::mark_in_use() const {
  const Result<bool> locked = try_lock(*this, F_RDLCK, 0);
  if (!locked) return locked.error();
  return *locked ? Result<void>() : error(EAGAIN, "lock", path());
}

bool in_use(const std::filesystem::path& path) noexcept {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno != ENOENT;
  const bool used = held_elsewhere(fd, 0);
  ::close(fd);
  return used;
}

}  // namespace larder::os
