// Which computations wait for which, among all processes: so that a circle of them is reported instead
// of slept in.
//
// A shared table of edges "the computation of `led` waits for that of `awaited`", keys by 64 bits of their
// fingerprints. An edge belongs to the process that holds the lock byte of its place; one whose byte is
// free is left from a process that died, and is not believed. Who is about to wait puts its edges in
// first and looks for a circle then: of those who close one, the last sees all the others.
//
// Thread-safe. A full table costs the detection, nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include <larder/key.hpp>

#include "base/mutex.hpp"
#include "store/control.hpp"
#include "store/locks.hpp"

namespace larder::store {

class Waits {
 public:
  Waits(Table table, const LeaseFiles& leases) : table_(std::move(table)), leases_(leases) {}

  // Puts in an edge from each of `led` to `awaited`; the numbers of their places.
  std::vector<std::size_t> put(std::span<const Key> led, const Key& awaited);
  void take_out(std::span<const std::size_t> places) noexcept;

  // Whether waiting for `awaited` would be waiting for one of `led`.
  [[nodiscard]] bool closes_circle(std::span<const Key> led, const Key& awaited) const;

 private:
  struct Edge {
    std::atomic<std::uint64_t> led;
    std::atomic<std::uint64_t> awaited;
  };
  [[nodiscard]] std::span<Edge> edges() const noexcept {
    return {reinterpret_cast<Edge*>(table_.data() + k_page_bytes), k_waits_places};
  }
  [[nodiscard]] const OwnedLockFile& lock_of(std::size_t place) const noexcept {
    return *leases_[place % k_lease_files]->lock;
  }
  [[nodiscard]] bool believed(std::size_t place) const;

  Table table_;
  const LeaseFiles& leases_;
  mutable base::Mutex mutex_;
  std::vector<bool> mine_ = std::vector<bool>(k_waits_places);  // guarded by mutex_
};

}  // namespace larder::store
