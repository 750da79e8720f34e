// Leases to compute: one byte of a lease file for each key, after a registry for the threads of this process.
#include "store/body.hpp"
#include "store/locks.hpp"
#include "store/store.hpp"

namespace larder::store {

namespace {

struct Spot {
  std::shared_ptr<LeaseFile> file;
  std::uint64_t offset;
};

Spot spot_of(const LeaseFiles& files, const Key& key) {
  const std::uint64_t number = key.fingerprint().low;
  return {files[number % k_lease_files], k_lock_compute + (number & ((std::uint64_t{1} << 60) - 1))};
}

void forget(LeaseFile& file, std::uint64_t offset) {
  {
    const std::lock_guard lock(file.mutex);
    file.held.erase(offset);
  }
  file.released.notify_all();
}

void release_lease(const void* pointer, std::uint64_t offset) noexcept {
  auto& file = *static_cast<LeaseFile*>(const_cast<void*>(pointer));
  if (!file.lock->ours()) return;  // a forked child: the lease is the parent's
  file.lock->unlock(offset);
  forget(file, offset);
}

}  // namespace

Lease::Lease(Lease&& other) noexcept
    : lock_file_(std::move(other.lock_file_)),
      offset_(other.offset_),
      release_(std::exchange(other.release_, nullptr)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    lock_file_ = std::move(other.lock_file_);
    offset_ = other.offset_;
    release_ = std::exchange(other.release_, nullptr);
  }
  return *this;
}

void Lease::release() noexcept {
  if (auto* const function = std::exchange(release_, nullptr)) function(lock_file_.get(), offset_);
  lock_file_.reset();
}

std::optional<Lease> Store::try_lease(const Key& key) {
  const TellAtEnd tell(body_->trouble);
  const auto [file, offset] = spot_of(body_->files.leases, key);
  {
    const std::lock_guard lock(file->mutex);
    if (file->held.contains(offset)) return std::nullopt;
    const Result<bool> locked = file->lock->file().try_lock(offset);
    if (!locked) body_->trouble.note(locked.error(), "locks");
    if (!locked || !*locked) return std::nullopt;
    file->held.insert(offset);
  }
  return make_lease(file, offset, &release_lease);
}

std::optional<Lease> Store::wait_lease(const Key& key) {
  const TellAtEnd tell(body_->trouble);
  const auto [file, offset] = spot_of(body_->files.leases, key);
  {
    std::unique_lock lock(file->mutex);
    file->released.wait(lock, [&, &held = file->held, wanted = offset] { return !held.contains(wanted); });
    file->held.insert(offset);
  }
  // Not under the mutex: this sleeps as long as another process computes.
  if (const Result<void> locked = file->lock->file().lock(offset); !locked) {
    body_->trouble.note(locked.error(), "locks");
    forget(*file, offset);
    return std::nullopt;
  }
  return make_lease(file, offset, &release_lease);
}

Lease Store::make_lease(std::shared_ptr<const void> file, std::uint64_t offset,
                        void (*release)(const void*, std::uint64_t) noexcept) {
  Lease lease;
  lease.lock_file_ = std::move(file);
  lease.offset_ = offset;
  lease.release_ = release;
  return lease;
}

WaitNotice Store::announce_wait(std::span<const Key> led, const Key& awaited) {
  WaitNotice notice;
  notice.store_ = this;
  notice.places_ = body_->waits->put(led, awaited);
  notice.closes_circle_ = body_->waits->closes_circle(led, awaited);
  return notice;
}

WaitNotice::WaitNotice(WaitNotice&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)),
      places_(std::move(other.places_)),
      closes_circle_(other.closes_circle_) {}

WaitNotice::~WaitNotice() {
  if (store_ != nullptr) store_->body_->waits->take_out(places_);
}

}  // namespace larder::store
