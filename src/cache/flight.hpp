// Single-flight within the process: of all threads that ask for one key, one leads and the others wait.
//
//   absent --join--> running (the joiner leads; everybody else who joins waits)
//   running --finish--> landed: waiters take the answer
//           --fail(e)--> failed: waiters rethrow e
//           --fail(null)--> abandoned: waiters join again, and one of them leads
//
// A flight leaves the table before its waiters wake, so who comes later starts a new one.
//
// Deadlock: a thread waits for at most one flight and a flight is led by one thread, so "waits for" is a
// path from flight to flight. Before a thread waits it walks that path under one process-wide lock; if
// the path ends at the thread itself, waiting would never end, and it gets Error(cycle) instead. The
// last thread to close a cycle is the one that finds it: registering and walking are one critical section.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <larder/cache.hpp>

#include "base/mutex.hpp"
#include "cache/freshness.hpp"
#include "store/store.hpp"

namespace larder::detail {

// A number for the calling thread. Unlike std::thread::id it is never used again after the thread's end:
// a claim may outlive the thread that made it.
using ThreadNumber = std::uint64_t;
ThreadNumber this_thread_number() noexcept;

// Throws Error(cycle): `path` says how the computation of `key` comes back to itself.
[[noreturn]] void throw_cycle(const Key& key, const std::string& path);

class Flight {
 public:
  Flight(Key of, ThreadNumber led_by) : key(std::move(of)), leader(led_by) {}

  // How a flight ended, for those who waited.
  struct Landing {
    Answer answer;  // of type `type`
    const Type* type = nullptr;
    std::exception_ptr failure;  // neither: abandoned
  };

  const Key key;
  const ThreadNumber leader;

  // The leader's alone: what it is to replace, if anything.
  Old old;
  // And when the computation began, by the clock and by the moments of tags, and how often the store
  // had been cleared before.
  std::int64_t started_ns = 0;
  std::uint64_t begun = 0;
  std::uint64_t clears = 0;

  // Whether it has yet to end.
  [[nodiscard]] bool running() const noexcept { return running_.load(); }

  // The right to compute, against other processes. An overtaken flight gives it up at once: who computes
  // anew need not wait for what nobody will keep.
  void hold(store::Lease lease);
  [[nodiscard]] store::Lease take_lease();

  // Calls `keep` unless the flight was overtaken: the key was put, removed or cleared since it started, and
  // what it brings is for those who wait for it already, and for nobody later. Who overtakes it meanwhile waits,
  // so what is kept can be found and replaced. `keep` calls no user code.
  template <class Keep>
  bool unless_overtaken(const Keep& keep) {
    const std::lock_guard lock(keeping_);
    if (!overtaken_) keep();
    return !overtaken_;
  }

 private:
  friend class FlightTable;
  void overtake();

  base::Mutex keeping_;
  bool overtaken_ = false;  // guarded by keeping_
  base::Mutex mutex_;
  base::ConditionVariable landed_;
  std::atomic<bool> running_ = true;  // falls under mutex_
  Landing landing_;                   // written once under mutex_, before running_ falls
  store::Lease lease_;                // guarded by mutex_
};

// Thread-safe.
class FlightTable {
 public:
  FlightTable() = default;
  ~FlightTable();
  FlightTable(const FlightTable&) = delete;
  FlightTable& operator=(const FlightTable&) = delete;

  struct Joined {
    std::shared_ptr<Flight> flight;
    bool leads;
  };
  // Joins the running flight of the key, or starts one that the calling thread leads.
  Joined join(const Key& key);

  // Takes the flight of the key, or all flights, out of the table and marks them overtaken: the next
  // caller starts a new one.
  void overtake(const Key& key);
  void overtake_all();

  // Says which store this table's keys are in; tables of one store see each other's flights in led_by().
  // REQUIRES: called once at most, before the first flight.
  void share_through(const std::string& store);
  // The keys that the calling thread computes for this store, here or through another table, but for
  // `except`.
  [[nodiscard]] std::vector<Key> led_by_this_thread(const Flight* except);

  // Sleeps until the flight has ended. Throws Error(cycle) if that would never be.
  static const Flight::Landing& wait(Flight& flight);

  // Ends the flight. REQUIRES: called once, by the leader, who keeps it alive meanwhile.
  void end(Flight& flight, Flight::Landing landing);

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.fingerprint().low; }
  };
  struct alignas(64) Shard {
    base::Mutex mutex;
    std::unordered_map<Key, std::shared_ptr<Flight>, KeyHash> flights;
  };
  Shard& shard_of(const Key& key) { return shards_[key.fingerprint().high % shards_.size()]; }

  void collect_led(ThreadNumber thread, const Flight* except, std::vector<Key>& keys);

  std::array<Shard, 64> shards_;
  std::string store_;  // constant after share_through(); empty: shared with nobody
};

}  // namespace larder::detail
