// The segments that this process has mapped, one place for each segment slot.
//
// A hit costs two atomic operations and takes no lock: pin() adds a reference to a place that is open,
// and the Pin's destructor takes it away. Mapping and unmapping happen under a mutex.
//
// Invariants:
//   (1) A place's `state` is 2 * references + (1 if open). Its other members change only while it is
//       closed and the mutex is held; a place is closed only from `open, no references`, in one step.
//   (2) While a place is open, this process holds the shared lock on byte `slot` of its pin file, so no
//       process frees the entry: the mapped bytes go on to count against the limit.
//   (3) The lock was taken before the entry was seen to be alive with this id (pin, then validate).
//   (4) The file that is mapped is marked as in use, so that os::in_use() tells of mappings, too, whose process was
//       killed a moment ago and has no locks any more.
// A forked child has the mappings, so that its Pins stay readable, and none of the locks: (2) is its
// parent's affair, and what it maps keeps the store from giving room back for a moment only (Space).
//
// Thread-safe. Lives as long as the last Pin, maybe longer than its Store.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "os/os.hpp"
#include "store/control.hpp"
#include "store/locks.hpp"
#include "store/trouble.hpp"

namespace larder::store {

class Segments : public std::enable_shared_from_this<Segments> {
 private:
  static constexpr std::uint64_t k_view_bytes_min = 16 * 1024;

  struct Place {
    std::atomic<std::uint64_t> state{0};
    std::uint64_t id = 0;
    std::uint64_t seed = 0;
    os::Mapping mapping;
    std::string path;
    // What this process has done with which views (see Mark): a bit for each k_view_bytes_min, in which at most one
    // record that is handed out as a view, and one chunk that may be marked, can start.
    std::array<std::vector<std::atomic<std::uint64_t>>, 2> marks;
    std::vector<std::atomic<std::uint64_t>> pages;  // a bit for each page that bring_in() brought in
  };

 public:
  enum class Mark : std::uint8_t {
    verified,        // its checksums were compared
    chunk_verified,  // the checksum of the chunk that begins there was compared
  };
  // Whether a chunk of that size can have a mark of its own.
  [[nodiscard]] static bool may_mark(std::uint64_t chunk_bytes) noexcept { return chunk_bytes >= k_view_bytes_min; }
  enum class Why : std::uint8_t { none, absent, damaged, refused };

  // Keeps one segment mapped. Empty, with the reason, if that could not be. May be destroyed on any thread.
  class Pin {
   public:
    Pin() = default;
    explicit Pin(Why why) noexcept : why_(why) {}
    Pin(Pin&& other) noexcept
        : segments_(std::exchange(other.segments_, nullptr)),
          place_(other.place_),
          committed_(other.committed_),
          slot_(other.slot_),
          why_(other.why_) {}
    Pin& operator=(Pin&& other) noexcept {
      Pin(std::move(other)).swap(*this);
      return *this;
    }
    ~Pin() {
      if (segments_ != nullptr) segments_->unpin(slot_);
    }

    explicit operator bool() const noexcept { return segments_ != nullptr; }
    [[nodiscard]] Why why() const noexcept { return why_; }
    // The segment's bytes up to what was committed when it was pinned.
    [[nodiscard]] Bytes bytes() const noexcept { return {place_->mapping.data(), committed_}; }
    [[nodiscard]] std::uint64_t seed() const noexcept { return place_->seed; }
    [[nodiscard]] std::uint64_t id() const noexcept { return place_->id; }
    [[nodiscard]] const std::string& path() const noexcept { return place_->path; }
    // Brings the pages of a part of bytes() in.
    [[nodiscard]] Result<void> populate(Bytes part) const {
      return place_->mapping.populate(static_cast<std::uint64_t>(part.data() - place_->mapping.data()), part.size(),
                                      place_->path);
    }
    // The same, and what lies around it, once a process: populating 1 MiB that is there already takes 40 us. So an
    // error of the disk is returned, and raises no signal unless the system drops the pages and cannot read them again.
    [[nodiscard]] Result<void> bring_in(Bytes part) const;
    // Brings in what read_record() reads at that offset, and all of a value that is too small for a view.
    [[nodiscard]] Result<void> bring_in_record(std::uint64_t offset) const;
    // The record at that offset, brought in. Nothing if it cannot be read, or is not valid.
    [[nodiscard]] std::optional<RecordView> record(std::uint64_t offset) const;
    [[nodiscard]] bool has(Mark mark, std::uint64_t offset) const noexcept;
    void set(Mark mark, std::uint64_t offset) const noexcept;
    // What keeps the segment mapped even if the Store is gone.
    [[nodiscard]] std::shared_ptr<const void> share() &&;

   private:
    friend class Segments;
    Pin(Segments& segments, Place& place, std::uint32_t slot, std::uint64_t committed) noexcept
        : segments_(&segments), place_(&place), committed_(committed), slot_(slot) {}
    void swap(Pin& other) noexcept {
      std::swap(segments_, other.segments_);
      std::swap(place_, other.place_);
      std::swap(committed_, other.committed_);
      std::swap(slot_, other.slot_);
      std::swap(why_, other.why_);
    }

    Segments* segments_ = nullptr;
    Place* place_ = nullptr;
    std::uint64_t committed_ = 0;
    std::uint32_t slot_ = 0;
    Why why_ = Why::none;
  };

  // The kernel refuses more than 65530 mappings a process; the program needs some, too.
  static constexpr std::size_t k_mapped_max = 4096;

  // With `mapped_max` segments mapped, those that no Pin needs are unmapped before another one is mapped.
  static std::shared_ptr<Segments> open(const Paths& paths, const Control& control, PinFiles pins, Trouble& trouble,
                                        std::size_t mapped_max = k_mapped_max);
  ~Segments();

  // The segment in that slot, if it is alive. Any slot number is allowed.
  [[nodiscard]] Pin pin(std::uint32_t slot);

  // Whether a Pin of this process, or another process that is alive, keeps the segment mapped.
  [[nodiscard]] bool pinned(std::uint32_t slot) const noexcept;
  // Unmaps the segment unless a Pin needs it. True if this process does not have it mapped afterwards.
  bool close(std::uint32_t slot);
  // Unmaps every segment that no Pin needs: somebody is short of room, and cannot tell idle from needed.
  void close_idle();
  // Unmaps every retired segment that no Pin needs.
  void close_retired();
  // The Store goes: unmaps what no Pin needs, and the rest as its Pins go.
  void end() noexcept;

  // Throws std::logic_error, saying what, if an invariant does not hold. For tests. REQUIRES: nobody uses
  // the store meanwhile.
  void check();

 private:
  Segments(const Paths& paths, const Control& control, PinFiles pins, Trouble& trouble, std::size_t mapped_max);
  Pin map(std::uint32_t slot);
  bool close_locked(std::uint32_t slot);
  void unpin(std::uint32_t slot) noexcept;
  [[nodiscard]] const OwnedLockFile& pin_file(std::uint32_t slot) const noexcept { return *pins_[slot % k_pin_files]; }

  const Paths paths_;
  const Control& control_;  // used by the Store's operations only
  Trouble& trouble_;        // likewise
  const PinFiles pins_;
  const std::size_t mapped_max_;
  std::vector<Place> places_;
  std::atomic<bool> ended_{false};
  base::Mutex mutex_;
  std::size_t mapped_ = 0;  // guarded by mutex_
};

inline Segments::Pin Segments::pin(std::uint32_t slot) {
  if (slot >= places_.size()) return Pin(Why::absent);
  Place& place = places_[slot];
  if ((place.state.fetch_add(2, std::memory_order_acquire) & 1) == 0) {
    place.state.fetch_sub(2, std::memory_order_release);
    return map(slot);
  }
  const SegmentEntry& entry = control_.segment(slot);
  const SegmentState state = entry.state.load(std::memory_order_acquire);
  const std::uint64_t committed = entry.committed.load(std::memory_order_acquire);
  Pin pin(*this, place, slot, committed);
  if (!alive(state) || entry.id.load(std::memory_order_acquire) != place.id || committed > place.mapping.size()) {
    return Pin(Why::absent);
  }
  return pin;
}

inline void Segments::unpin(std::uint32_t slot) noexcept {
  const std::uint64_t before = places_[slot].state.fetch_sub(2);
  if (before == 3 && ended_.load()) close(slot);
}

}  // namespace larder::store
