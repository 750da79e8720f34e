// The write-back queue: values on their way to the store.
//
// Bounded by weight. What does not fit is refused, never waited for; one value that is heavier than the
// whole bound is let in when the queue is empty. Until a value is written, find() answers for it, so
// that a value that memory has already evicted is not computed again. A later value of the same key
// supersedes one that still waits.
//
// One thread of its own writes; it also calls `tick` about once a second. Values are encoded, compressed and
// destroyed on that thread outside every lock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/mutex.hpp"
#include "observe/counters.hpp"
#include "store/store.hpp"

namespace larder::detail {

// A value with everything that publishing it takes.
struct Pending {
  Key key;
  Value value;
  const Type* type = nullptr;
  store::Meta meta;
  Compression compression = Compression::none;
  std::uint64_t weight = 0;
  std::uint64_t stamp = 0;  // of the key, when the value was put
  store::Lease lease;       // held until the value is in the store or was given up
  bool taken = false;       // by the writing thread; guarded by the queue's mutex
};

// Counts why a put came to nothing, if it did.
store::Put count_refusal(observe::Counters& counters, store::Put put);
// Encodes the value, compresses it where that pays, and puts it into the store, counting what comes of it.
store::Put write_to_store(store::Store& store, observe::Counters& counters, const Pending& pending);

// Thread-safe.
class WriteBack {
 public:
  WriteBack(store::Store& store, observe::Counters& counters, std::uint64_t bytes_max, std::function<void()> tick);
  // Writes everything that waits, then stops.
  ~WriteBack();
  WriteBack(const WriteBack&) = delete;
  WriteBack& operator=(const WriteBack&) = delete;

  enum class Pushed : std::uint8_t {
    queued,
    superseded,  // its key was put or removed since its stamp: what is in the queue is newer
    full,
  };
  // What is not queued is not taken (and its lease is released).
  Pushed push(Pending pending);
  // The value of the key that waits or is just being written, unless it is overtaken, `stamp` being the key's.
  [[nodiscard]] std::shared_ptr<const Pending> find(const Key& key, std::uint64_t stamp) const;
  // Forgets the key's value, all values. A value that is just being written may still get there: the
  // store's stamps then tell that it came too late. True if there was one.
  bool cancel(const Key& key);
  void cancel_all();
  // Waits until everything pushed so far is written, and the older values' end synced, or was given up. Returns at once
  // on the thread that writes, where a codec or a destructor of the user may call it.
  void flush();
  [[nodiscard]] bool on_own_thread() const noexcept { return writer_.load() == std::this_thread::get_id(); }
  // Calls `visit` for what waits or is just being written, outside the lock.
  void for_each(const std::function<void(const Pending&)>& visit) const;
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.fingerprint().low; }
  };
  void run(const std::stop_token& stop);
  // Releases the lease of an item that will not be written. REQUIRES: mutex_ is held.
  static std::shared_ptr<Pending> give_up_locked(std::shared_ptr<Pending> item);

  store::Store& store_;
  observe::Counters& counters_;
  const std::uint64_t bytes_max_;
  const std::function<void()> tick_;

  mutable base::Mutex mutex_;
  std::condition_variable_any pushed_;
  base::ConditionVariable drained_;
  // Guarded by mutex_. An item is in `queue_` until it is taken, in `latest_` until it is written,
  // superseded or cancelled; the thread writes only what is still the latest.
  std::deque<std::shared_ptr<Pending>> queue_;
  std::unordered_map<Key, std::shared_ptr<Pending>, KeyHash> latest_;
  std::uint64_t bytes_ = 0;
  std::uint64_t pushed_count_ = 0;
  std::uint64_t done_count_ = 0;
  // Of what is in `queue_` or just being written. Changed under mutex_, read without it: mostly there is none.
  std::atomic<std::uint64_t> waiting_{0};

  std::atomic<std::thread::id> writer_;  // set by the thread itself
  std::jthread thread_;                  // last: starts when everything above is there
};

}  // namespace larder::detail
