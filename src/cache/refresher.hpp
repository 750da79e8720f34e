// Computes anew what is due and what nobody waits for (larder::detached), one key after the other, on a thread of its
// own that starts with the first.
//
// Bounded: what does not fit is dropped, and due again at the next hit. A key is in it once. Computations run and are
// destroyed outside every lock; those that have not begun when it ends are given up.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_set>

#include <larder/cache.hpp>

#include "base/mutex.hpp"

namespace larder::detail {

// Thread-safe.
class Refresher {
 public:
  // `refresh` must not throw.
  explicit Refresher(std::function<void(const Key&, const Later&)> refresh) : refresh_(std::move(refresh)) {}
  ~Refresher() { end(); }
  Refresher(const Refresher&) = delete;
  Refresher& operator=(const Refresher&) = delete;

  // Whether the key does not wait and is not being computed.
  [[nodiscard]] bool lacks(const Key& key) const;
  // Gives up what waits, and waits for the computation that runs. REQUIRES: nothing is pushed any more.
  void end() noexcept;
  // False if it was dropped.
  bool push(const Key& key, Later computation);
  [[nodiscard]] bool on_own_thread() const noexcept { return runner_.load() == std::this_thread::get_id(); }

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.fingerprint().low; }
  };
  struct Item {
    Key key;
    Later computation;
  };
  void run(const std::stop_token& stop);

  const std::function<void(const Key&, const Later&)> refresh_;

  mutable base::Mutex mutex_;
  std::condition_variable_any pushed_;
  // Guarded by mutex_. A key is in `keys_` until it was computed.
  std::deque<Item> queue_;
  std::unordered_set<Key, KeyHash> keys_;

  std::atomic<std::thread::id> runner_;  // set by the thread itself
  std::jthread thread_;                  // guarded by mutex_ until it runs
};

}  // namespace larder::detail
