// A mutual exclusion lock for sections of a few dozen instructions, which std::mutex would double: taking it when
// nobody holds it, and giving it back when nobody waits, is one instruction each, in the caller.
//
// As in Drepper, "Futexes Are Tricky" (2011), mutex 2; waiting is std::atomic's, which sleeps in the kernel.
#pragma once

#include <atomic>
#include <cstdint>

namespace larder::base {

// BasicLockable: meant for std::lock_guard and std::unique_lock. Not recursive, not fair.
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() noexcept {
    std::uint32_t free = k_free;
    if (!state_.compare_exchange_strong(free, k_held, std::memory_order_acquire)) wait();
  }
  void unlock() noexcept {
    if (state_.exchange(k_free, std::memory_order_release) == k_awaited) state_.notify_one();
  }

 private:
  enum : std::uint32_t { k_free, k_held, k_awaited };

  [[gnu::noinline]] void wait() noexcept {
    while (state_.exchange(k_awaited, std::memory_order_acquire) != k_free) state_.wait(k_awaited);
  }

  std::atomic<std::uint32_t> state_{k_free};
};

}  // namespace larder::base
