// Locks, and a check that no code of the user's runs under one. In debug builds and under the sanitizers
// (LARDER_CHECK_LOCKS) a thread knows how many it holds; elsewhere these are the standard's own types, and nothing is
// checked.
#pragma once

#include <condition_variable>
#include <mutex>

#ifdef LARDER_CHECK_LOCKS
#include <cstdio>
#include <cstdlib>
#include <utility>
#endif

namespace larder::base {

#ifdef LARDER_CHECK_LOCKS

inline constinit thread_local int locks_held = 0;  // by this thread

// Lockable.
class Mutex {
 public:
  void lock() {
    mutex_.lock();
    ++locks_held;
  }
  bool try_lock() {
    if (!mutex_.try_lock()) return false;
    ++locks_held;
    return true;
  }
  void unlock() {
    --locks_held;
    mutex_.unlock();
  }

 private:
  std::mutex mutex_;
};
using ConditionVariable = std::condition_variable_any;

// To be called before code of the user's is: `what` it is. Ends the program if the thread holds a lock, since that code
// may want the same one.
inline void expect_no_lock(const char* what) noexcept {
  if (locks_held == 0) return;
  std::fprintf(stderr, "larder: %s is about to run under %d of larder's locks\n", what, locks_held);
  std::abort();
}

// While it lives, what runs counts as if another thread ran it: a test's hook in the middle of something.
class [[nodiscard]] Apart {
 public:
  Apart() : held_(std::exchange(locks_held, 0)) {}
  ~Apart() { locks_held = held_; }
  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

 private:
  const int held_;
};

#else

using Mutex = std::mutex;
using ConditionVariable = std::condition_variable;
inline void expect_no_lock(const char* /*what*/) noexcept {}
struct [[nodiscard]] Apart {
  Apart() {}  // so that an object of it counts as used
};

#endif

}  // namespace larder::base
