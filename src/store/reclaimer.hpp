// The reclaimer: makes room ahead of need, and keeps what is worth it.
//
// A victim is the segment, among the few that were written to longest ago, whose records save the least for each byte.
// What of it is worth keeping is written once more, into the segment that this process appends to; then it is freed:
//
//   1  lease the victim: nobody else appends to it, retires it or frees it
//   2  seal it, and note in the journal that its records are gone: a rebuild shall not find any of them twice
//   3  for each record to keep: verify its value; append it with its old sequence; lead its slot to the copy
//      and when all are moved, sync the copies
//   4  retire the victim, clear the slots that still lead to it, unlink it, free it
//
// Killed anywhere, the slots say which records were moved, and another reclaimer does the rest; what was not moved is
// found until the machine restarts. A record keeps its sequence, so that whatever removes or replaces the key up to it
// holds for the copy as well (Appender::move).
//
// Thread-safe. One reclaimer at a time in a store, by a lock byte. Never called by who waits for room.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "base/mutex.hpp"
#include "store/append.hpp"
#include "store/control.hpp"
#include "store/index.hpp"
#include "store/journal.hpp"
#include "store/locks.hpp"
#include "store/reclaim.hpp"
#include "store/segments.hpp"
#include "store/store.hpp"
#include "store/trouble.hpp"

namespace larder::store {

class Reclaimer {
 public:
  Reclaimer(const Paths& paths, const Control& control, const LeaseFiles& leases, Segments& segments, Index& index,
            Journal& journal, Space& space, Appender& appender, Trouble& trouble) noexcept
      : paths_(paths),
        control_(control),
        leases_(leases),
        segments_(segments),
        index_(index),
        journal_(journal),
        space_(space),
        appender_(appender),
        trouble_(trouble) {}

  // Reclaims until the reserve is free. Does nothing if another process is at it.
  void work_ahead();
  // Whether that did not free the reserve when it was last tried: others pin too much.
  [[nodiscard]] bool exhausted() const noexcept { return exhausted_.load(std::memory_order_relaxed); }
  // See Store::compact().
  Compacted compact(const std::function<void(std::uint64_t done, std::uint64_t all)>& progress);

 private:
  class Turn;
  // A record that a lookup would find.
  struct Living {
    std::uint64_t offset;
    std::uint64_t bytes;  // that a copy takes at most
    double worth;         // saved cost for each byte; 0: it was not used since it was written
  };
  struct Contents {
    bool whole = false;  // all of the segment could be read
    std::vector<Living> living;
    std::uint64_t bytes = 0;         // of all records
    std::uint64_t living_bytes = 0;  // that copies of the living ones take at most
  };
  // A segment as it was when it was chosen.
  struct Victim {
    std::uint32_t slot = 0;
    std::uint64_t id = 0;
    double worth = 0;       // of a sample: saved cost for each byte
    double aged_worth = 0;  // less, the more often it was passed over
  };

  // All REQUIRE a Turn.
  bool reclaim_one();  // false: nothing could be freed
  std::vector<Victim> few_oldest();
  double sample(std::uint32_t slot, std::uint64_t id);
  void keep_where_it_is(const Victim& victim);
  Contents read(const Segments::Pin& pin, std::uint32_t slot);
  // Tells a rebuild that the victim's records are gone.
  void give_up(std::uint32_t slot);
  // Moves the records, and syncs the copies. False if room, or the system, did not allow all of them.
  bool move(const Segments::Pin& pin, std::uint32_t slot, std::vector<Living> records, Compacted& done);
  void sync(const std::set<std::uint64_t>& segments);
  void free(std::uint32_t slot, Compacted& done);
  bool compact_one(std::uint32_t slot, Compacted& done);

  const Paths& paths_;
  const Control& control_;
  const LeaseFiles& leases_;
  Segments& segments_;
  Index& index_;
  Journal& journal_;
  Space& space_;
  Appender& appender_;
  Trouble& trouble_;
  std::atomic<bool> exhausted_{false};
  base::Mutex mutex_;
  std::map<std::uint64_t, int> passed_over_;  // by segment id: how often another one went; guarded by mutex_
};

}  // namespace larder::store
