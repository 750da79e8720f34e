// Space: who may take room on disk, and how room is made.
//
// The budget lock (a lock byte and a mutex in the process) is held by whoever changes the segment table
// upwards: makes a segment, reserves more for one, retires or frees one. So the sum of what is reserved
// never passes the limit. Segments go whole: first those of which nothing lasts, then old ones (the lowest last
// sequence):
//
//   open, sealed -> retired   its records are found no longer
//   retired -> cleared        no slot leads to it; its bytes still count
//   cleared -> free           nobody maps it any more, and its file is unlinked
//
// Every step can be taken again by the next holder if one is killed in between. That is for who needs room now, and
// waits for it; what is worth keeping is copied ahead of need, by a Reclaimer.
//
// Thread-safe. Locks: the appender's mutex may be held when this one is taken, never the other way round.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/mutex.hpp"
#include "store/control.hpp"
#include "store/index.hpp"
#include "store/locks.hpp"
#include "store/segments.hpp"
#include "store/trouble.hpp"

namespace larder::store {

// A segment that this process may append to: it holds the append lease.
struct Writable {
  std::uint32_t slot = 0;
  std::uint64_t id = 0;
  std::uint64_t seed = 0;
  os::File file;
};

class Space {
 public:
  Space(const Paths& paths, const Control& control, const LeaseFiles& leases, Segments& segments, Index& index,
        Journal& journal, Trouble& trouble)
      : paths_(paths),
        control_(control),
        leases_(leases),
        segments_(segments),
        index_(index),
        journal_(journal),
        trouble_(trouble) {}

  template <class T>
  struct Granted {
    std::optional<T> value;
    Put refusal = Put::fault;  // what a put comes to without it
  };

  // Where room comes from: reclaimed if there is none, or only what is free.
  enum class Room : std::uint8_t { made, spare };
  // Whether a segment of so many bytes could be there, if it were the only one.
  [[nodiscard]] bool could_hold(std::uint64_t bytes) const noexcept;
  // Leases a segment to append to: an open one that nobody leases and that `fits`, else a new one.
  Granted<Writable> lease_shared(const std::function<bool(const SegmentEntry&)>& fits, Room room);
  // Makes a segment for one record that ends at `bytes`, and leases it.
  Granted<Writable> lease_single(std::uint64_t bytes);
  // Makes sure that a leased segment may grow to `bytes`.
  Granted<bool> reserve(const Writable& segment, std::uint64_t bytes, Room room);
  // Gives the lease back. The file is closed before: who frees the segment counts on its room.
  void release(Writable segment);
  // Gives the lease back and frees the segment. REQUIRES: nothing in it was ever published.
  void discard(Writable segment);

  // Makes the index twice as large, if it is full (somebody may have done it) and the limit has room.
  void grow_index();
  // For a segment whose writer was killed before a slot led to his record, or that is leased after such a one: nobody
  // who removes the record's key would know of it when the mark is gone, but a rebuild would find it.
  void bury(const Writable& segment);

  // The segments that may go: first those of which nothing lasts, then those that were written to longest ago. A
  // snapshot.
  [[nodiscard]] std::vector<std::uint32_t> oldest() const;
  // What was retired, and waits for those who map it.
  [[nodiscard]] std::uint64_t pending() const noexcept;
  // Whether retiring the segment would give its room back soon enough, so much being pending.
  [[nodiscard]] bool may_retire(std::uint32_t slot, std::uint64_t pending) const noexcept;
  // Leases the segment of that id to be emptied and freed. False if somebody appends to it, or it has gone.
  bool lease_victim(std::uint32_t slot, std::uint64_t id);
  // Gives that lease back, the segment staying as it is.
  void spare_victim(std::uint32_t slot);
  // Retires the victim, clears what slots still lead to it, frees it, and gives the lease back. REQUIRES: it is a
  // leased victim, that this process does not pin, and the journal knows that its records are gone.
  void free_victim(std::uint32_t slot);

  // Whether so many segments are open that nobody should open one without need: what is open may be leased, and what is
  // leased gives no room back.
  [[nodiscard]] bool crowded() const noexcept;
  // What is kept free ahead of need.
  [[nodiscard]] std::uint64_t reserve_bytes() const noexcept;
  // What could be written without reclaiming anything.
  [[nodiscard]] std::uint64_t free_bytes() const noexcept;
  // Whether, when this process last took room, less than the reserve was left.
  [[nodiscard]] bool room_is_low() const noexcept { return room_is_low_.load(std::memory_order_relaxed); }

  // Reclaims until the limit holds, and frees what nobody maps any more.
  void settle();
  // Retires every segment that nobody is writing to.
  void retire_all();

  // Frees a segment to which no slot leads. False if one does, if it is another segment by now, or if somebody writes
  // to it.
  bool free_empty(std::uint32_t slot, std::uint64_t id);
  // Clears the slots that lead to no segment, and returns how many there were.
  std::uint64_t clear_stale_slots();
  struct Strays {
    std::vector<std::string> deleted;  // paths of files with a segment's name that no entry has, and of half made ones
    std::vector<std::string> unknown;  // of files that are none of the store's; they stay
  };
  // Deletes the files in `seg` that belong to nothing.
  Strays delete_strays();

  // What counts against the limit.
  [[nodiscard]] std::uint64_t bytes_used() const noexcept;

 private:
  // The budget lock; empty if the system refused it.
  class Budget {
   public:
    explicit Budget(Space& space);
    ~Budget();
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;
    explicit operator bool() const noexcept { return held_; }

   private:
    Space& space_;
    const std::lock_guard<base::Mutex> lock_;
    bool held_ = false;
  };

  // Tries again, for a short while, what was refused for want of room.
  template <class Try>
  auto patiently(const Try& attempt);
  Granted<Writable> try_lease_shared(const std::function<bool(const SegmentEntry&)>& fits, Room room);

  [[nodiscard]] std::uint64_t pending_max() const noexcept;

  // All REQUIRE the budget lock.
  bool find_room(std::uint64_t bytes, bool entry_needed, Room room);
  bool make_room(std::uint64_t bytes, bool entry_needed);
  [[nodiscard]] bool has_room(std::uint64_t bytes, bool entry_needed) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> free_slot() const noexcept;
  Granted<Writable> make_segment(SegmentKind kind, std::uint64_t bytes, Room room);
  Result<Writable> open_leased(std::uint32_t slot, int flags);
  bool take_lease(std::uint32_t slot);
  void drop_lease(std::uint32_t slot);
  void bury_the_dead();
  void retire(std::uint32_t slot);
  void mark_retired(std::uint32_t slot);
  void finish(std::uint32_t slot);
  void finish_cleared(std::uint32_t slot);
  // Unmaps the cleared segment here. Whether nobody has it mapped any more, as far as that is waited for.
  [[nodiscard]] bool let_go(std::uint32_t slot);
  [[nodiscard]] bool lingers() const noexcept;
  void finish_retired();
  void sweep_half_made();
  void clear_slots_of(std::uint32_t slot);

  const Paths& paths_;
  const Control& control_;
  const LeaseFiles& leases_;
  Segments& segments_;
  Index& index_;
  Journal& journal_;
  Trouble& trouble_;
  std::atomic<bool> room_is_low_{false};
  base::Mutex mutex_;
  std::set<std::uint32_t> leased_;  // slots this process appends to; guarded by mutex_
};

}  // namespace larder::store
