// The store's lock files: who may write, who maps what, who computes. One byte of a file is one lock; the
// kernel releases what a process held when it dies.
//
// OFD locks do not exclude the threads of one process; whoever takes one here keeps a registry for those.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>

#include <larder/result.hpp>

#include "base/mutex.hpp"
#include "os/os.hpp"
#include "store/control.hpp"

namespace larder::store {

inline constexpr std::uint64_t k_lock_append = std::uint64_t{1} << 40;   // + segment slot, in a lease file
inline constexpr std::uint64_t k_lock_budget = std::uint64_t{1} << 41;   // in lease.00
inline constexpr std::uint64_t k_lock_journal = k_lock_budget;           // in lease.01
inline constexpr std::uint64_t k_lock_reclaim = k_lock_budget;           // in lease.02
inline constexpr std::uint64_t k_lock_waits = std::uint64_t{1} << 42;    // + place in the table, in a lease file
inline constexpr std::uint64_t k_lock_compute = std::uint64_t{1} << 61;  // + fingerprint mod 2^60, in a lease file
inline constexpr std::uint64_t k_lock_opening = 0;                       // in `open`
inline constexpr std::uint64_t k_lock_present = 0;                       // in `control`, shared by every user
inline constexpr std::size_t k_lease_files = 64;
inline constexpr std::size_t k_pin_files = 16;

// A lock file whose locks a forked child must not hold on to. In the child it was closed by the time
// fork() returned; there nothing must touch the descriptor, whose number may be somebody else's by now.
class OwnedLockFile {
 public:
  static Result<std::unique_ptr<OwnedLockFile>> own(Result<os::LockFile> file);
  ~OwnedLockFile();
  OwnedLockFile(const OwnedLockFile&) = delete;
  OwnedLockFile& operator=(const OwnedLockFile&) = delete;

  [[nodiscard]] const os::LockFile& file() const noexcept { return *file_; }
  void unlock(std::uint64_t offset) const noexcept {
    if (ours()) file_->unlock(offset);
  }
  [[nodiscard]] bool ours() const noexcept { return fork_generation_ == os::fork_generation(); }

 private:
  OwnedLockFile() = default;
  std::unique_ptr<os::LockFile> file_;
  std::uint64_t fork_generation_ = os::fork_generation();
};

// One lease file and the leases to compute that this process holds or waits for in it.
struct LeaseFile {
  std::unique_ptr<OwnedLockFile> lock;
  base::Mutex mutex;
  base::ConditionVariable released;
  std::set<std::uint64_t> held;  // offsets; guarded by mutex
};

using LeaseFiles = std::array<std::shared_ptr<LeaseFile>, k_lease_files>;
using PinFiles = std::array<std::unique_ptr<OwnedLockFile>, k_pin_files>;

// Makes those that are missing, or fails with Errc::not_found: then locks that are held may be locks of files that
// were deleted, which exclude nobody.
enum class Missing : std::uint8_t { made, refused };
Result<LeaseFiles> open_lease_files(const Paths& paths, Missing missing);
Result<PinFiles> open_pin_files(const Paths& paths, Missing missing);

// The right to append to a segment.
[[nodiscard]] inline const OwnedLockFile& append_lock(const LeaseFiles& files, std::uint32_t slot) noexcept {
  return *files[slot % k_lease_files]->lock;
}

}  // namespace larder::store
