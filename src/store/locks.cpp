#include "store/locks.hpp"

#include <cstdio>

namespace larder::store {

Result<std::unique_ptr<OwnedLockFile>> OwnedLockFile::open(const std::filesystem::path& path,
                                                           const os::Audience& audience) {
  Result<os::LockFile> file = os::LockFile::open(path, audience);
  if (!file) return file.error();
  std::unique_ptr<OwnedLockFile> owned(new OwnedLockFile);
  owned->file_ = std::make_unique<os::LockFile>(*std::move(file));
  if (!os::close_on_fork(owned->file_->fd())) {
    return Error(Errc::io, "too many stores are open in this process", "close some, or share one");
  }
  return owned;
}

OwnedLockFile::~OwnedLockFile() {
  if (file_ == nullptr) return;
  if (ours()) {
    os::keep_on_fork(file_->fd());
  } else {
    static_cast<void>(file_.release());
  }
}

Result<LeaseFiles> open_lease_files(const Paths& paths) {
  LeaseFiles files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::array<char, 16> name{};
    std::snprintf(name.data(), name.size(), "lease.%02zx", i);
    Result<std::unique_ptr<OwnedLockFile>> lock = OwnedLockFile::open(paths.locks() / name.data(), paths.audience);
    if (!lock) return lock.error();
    files[i] = std::make_shared<LeaseFile>();
    files[i]->lock = *std::move(lock);
  }
  return files;
}

}  // namespace larder::store
