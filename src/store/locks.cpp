#include "store/locks.hpp"

namespace larder::store {

namespace {

Result<std::unique_ptr<OwnedLockFile>> open_one(const std::filesystem::path& path, const os::Audience& audience,
                                                Missing missing) {
  return OwnedLockFile::own(missing == Missing::made ? os::LockFile::open(path, audience)
                                                     : os::LockFile::open_existing(path));
}

}  // namespace

Result<std::unique_ptr<OwnedLockFile>> OwnedLockFile::own(Result<os::LockFile> file) {
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

Result<LeaseFiles> open_lease_files(const Paths& paths, Missing missing) {
  LeaseFiles files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    Result<std::unique_ptr<OwnedLockFile>> lock = open_one(paths.lease(i), paths.audience, missing);
    if (!lock) return lock.error();
    files[i] = std::make_shared<LeaseFile>();
    files[i]->lock = *std::move(lock);
  }
  return files;
}

Result<PinFiles> open_pin_files(const Paths& paths, Missing missing) {
  PinFiles files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    Result<std::unique_ptr<OwnedLockFile>> lock = open_one(paths.pin(i), paths.audience, missing);
    if (!lock) return lock.error();
    files[i] = *std::move(lock);
  }
  return files;
}

}  // namespace larder::store
