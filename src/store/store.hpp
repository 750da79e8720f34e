// The store: a directory of values that all processes of a machine share.
//
// Opaque bytes in and out, found by their full key. Append-only *segments* are the truth; the *index* is
// derived from them; `docs/internals/store-format.md` states every byte and every protocol. Any number of
// processes read and write at once; there is no server, and a process may be killed at any instruction.
//
// Promises:
//   (1) get() answers only with the bytes of the last completed put() of that full key, whole and
//       verified (StoreOptions::verification), never of a key that was removed or cleared since.
//   (2) Bytes on disk (index and control files, segments that are pinned but given up, and what the system is still
//       taking back from killed processes included) stay within the limit plus one segment. What nobody but a forked
//       child maps is counted for a second, and not after that.
//   (3) What the system refuses, or a disk damages, is never thrown: it is a miss or a refusal with a reason,
//       counted, and told to `on_event`, which must not throw, once per reason and file. Only std::bad_alloc
//       is thrown. Who holds the room that a put was refused for is told at most once a minute. Counted here: stored,
//       stored_bytes, segments_reclaimed, index_evicted, rebuilt and the fault_* counters; what a lookup or a refused
//       put comes to is counted by the caller.
//
// Thread-safe. After fork() the child may read and destroy the values it holds, and nothing else; it has
// none of its parent's leases and pins.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <larder/codec.hpp>
#include <larder/entry.hpp>
#include <larder/key.hpp>
#include <larder/options.hpp>
#include <larder/stats.hpp>

#include "base/clock.hpp"
#include "observe/counters.hpp"
#include "os/os.hpp"
#include "store/tags.hpp"

namespace larder::store {

inline constexpr std::int64_t k_no_expiry = INT64_MAX;

// Values of up to this many bytes are copied out of the store; larger ones are pinned views.
inline constexpr std::uint64_t k_copy_bytes_max = 16 * 1024;

struct StoreOptions {
  std::filesystem::path directory;
  std::optional<std::uint64_t> limit;  // bytes; unset: the existing store's, or k_limit_default
  Verification verification = Verification::boot;
  Durability durability = Durability::synced;
  observe::Counters* counters = nullptr;            // required; outlives the store
  std::function<void(const Event&)> on_event = {};  // may be empty; called outside every lock
  os::Audience audience = {};                       // of the store: one that is there has to be of the same
  base::Clock clock = base::Clock();                // by which records expire
};
inline constexpr std::uint64_t k_limit_default = std::uint64_t{10} << 30;

// What is kept of an entry beside its key and value.
struct Meta {
  std::string type;  // name of the value's codec, at most 255 bytes
  std::uint64_t cost_ns = 0;
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = k_no_expiry;
  Stamps stamps = {};           // at most k_tags_max tags
  std::uint64_t raw_bytes = 0;  // not 0: the bytes that are kept are a frame of a value of so many
  // When it becomes stale, if that is before it expires. Then it is answered to who asks for stale values.
  std::int64_t fresh_ms = k_no_expiry;

  // Until when it is fresh.
  [[nodiscard]] std::int64_t fresh_until() const noexcept { return std::min(fresh_ms, expires_ms); }
};

struct Found {
  Bytes value;                        // aligned to 64 bytes, to 4096 when 64 KiB or more
  std::shared_ptr<const void> owner;  // keeps `value` alive: a copy, or a pin on its segment
  Meta meta;
};

enum class Miss : std::uint8_t { absent, expired, invalidated, damaged, degraded };

struct Lookup {
  std::optional<Found> found;
  Miss miss = Miss::absent;
};

enum class Put : std::uint8_t {
  stored,
  superseded,  // the key was changed by somebody else since `stamp`: theirs stands
  too_large,   // larger than the limit allows
  no_room,     // pinned values fill the limit
  fault,       // the system refused; counted by its reason
};

struct Usage {
  std::uint64_t bytes = 0;  // everything that counts against the limit
  std::uint64_t limit = 0;
  std::uint64_t segments = 0;
};

// What compact() did.
struct Compacted {
  std::uint64_t segments = 0;     // that were freed; what is mapped still gives its room back when it is not any more
  std::uint64_t bytes_freed = 0;  // on disk
  std::uint64_t bytes_rewritten = 0;  // for what is still good in them
  std::uint64_t records = 0;          // that were written once more
};

// One record that a lookup would find.
struct Listed {
  Key key;
  Meta meta;
  std::uint64_t bytes;  // of the value, as it is kept
};

// The right, among all processes, to compute one key. Released by the destructor, and by the kernel when
// the process dies. Movable; may be released on another thread.
class Lease {
 public:
  Lease() = default;
  ~Lease() { release(); }
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  void release() noexcept;
  [[nodiscard]] bool held() const noexcept { return release_ != nullptr; }

 private:
  friend class Store;
  std::shared_ptr<const void> lock_file_;
  std::uint64_t offset_ = 0;
  void (*release_)(const void* lock_file, std::uint64_t offset) noexcept = nullptr;
};

class Store;
struct Repaired;

// Says to all processes that computations wait for another one, for as long as it lives.
class WaitNotice {
 public:
  WaitNotice() = default;
  ~WaitNotice();
  WaitNotice(WaitNotice&& other) noexcept;
  WaitNotice& operator=(WaitNotice&&) = delete;
  // True if the wait would never end, because the other computation waits for one of these.
  [[nodiscard]] bool closes_circle() const noexcept { return closes_circle_; }

 private:
  friend class Store;
  Store* store_ = nullptr;
  std::vector<std::size_t> places_;
  bool closes_circle_ = false;
};

class Store {
 public:
  // Opens the store in the directory, making it if it is missing, rebuilding what is derived if this is
  // the first open since the machine started or if a derived file is damaged. Fails with the reason.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] Lookup get(const Key& key);
  // What get() would find, without its value, which is neither verified nor copied.
  [[nodiscard]] std::optional<Listed> find(const Key& key);

  // Appends a record and publishes it, unless stamp(key) is no longer `stamp`: a value that waited to be
  // written must not come back after its key was removed meanwhile. The value is the pieces one after
  // the other. A put that is refused for another reason removes the older record of the key: it must not
  // stand for the newer value. That a fresh older value is gone survives a loss of power only after sync().
  Put put(const Key& key, const Meta& meta, std::span<const Bytes> value, std::uint64_t stamp);

  // A value of this size or more has a segment of its own, and may be written piece by piece: see StreamedPut.
  [[nodiscard]] std::uint64_t large_bytes_min() const noexcept;

  // Returns when no loss of power can bring back what this process has put something over.
  void sync();

  // Removes the key's record. True if a lookup would have found one. Other processes' stamps of the key
  // change before this returns; no loss of power brings the record back after that.
  bool remove(const Key& key);
  void clear();

  // Counts the changes of the key (put, put over an older record, remove, clear) by any process. Keys share
  // counters, so a stamp may change without cause, never stay the same despite one. A wait-free load.
  [[nodiscard]] std::uint64_t stamp(const Key& key) const noexcept;
  // The generations of tags, to be read: invalidate() changes them. Lives as long as the store.
  [[nodiscard]] TagTable tags() const noexcept;
  // Puts every record of the tag out of date, for good as remove() does.
  void invalidate(TagId tag);
  // How often the store was cleared, by any process.
  [[nodiscard]] std::uint64_t clears() const noexcept;
  // Whether a value that is to be written under `stamp` still may be, `now` being the key's stamp.
  [[nodiscard]] static bool overtaken(std::uint64_t stamp, std::uint64_t now) noexcept;

  // Removes the key's record, as remove() does, and returns the stamp under which a value may take its place: if
  // anybody else puts or removes the key after that, it must not.
  std::uint64_t make_way(const Key& key);
  // Removes the key's records that were begun up to that moment of tags(), and no newer one: a value that was put over
  // them was superseded itself.
  void remove_older(const Key& key, std::uint64_t moment);
  // Changes the stamp of the key and returns the new one: whatever any process remembers of the key, or has
  // queued for it, is out of date from here on.
  std::uint64_t touch(const Key& key) noexcept;

  // The lease of a key if it is free.
  [[nodiscard]] std::optional<Lease> try_lease(const Key& key);
  // Sleeps until the lease is free, because its holder released it or died. Nothing on a fault of the
  // lock: compute without a lease then, it is never required for correctness.
  [[nodiscard]] std::optional<Lease> wait_lease(const Key& key);

  // To be held while the caller, who leads the computations of `led`, waits for that of `awaited`, in this
  // process or another.
  [[nodiscard]] WaitNotice announce_wait(std::span<const Key> led, const Key& awaited);

  // Calls `visit` for every record that a lookup would find, expired ones included. Records published meanwhile may be
  // missed.
  void for_each(const std::function<void(const Listed&)>& visit);

  [[nodiscard]] Usage usage() const;
  [[nodiscard]] const std::filesystem::path& directory() const noexcept;
  // The counters of all processes, since the store was made. See observe::Counters::share.
  [[nodiscard]] std::span<std::atomic<std::uint64_t>> shared_counters() noexcept;

  // Gives up what other processes wait for: mappings of retired segments that nothing here pins, and the
  // append lease if nothing was written for a while; and reclaims ahead of need. Called about once a second by the
  // owner, on a thread that nobody waits for.
  void maintain();
  // Reclaims ahead of need if there was little room when this process last took some; cheap if not. For a thread that
  // writes while nobody waits for it.
  void reclaim_if_low();

  // Frees every segment of which a quarter or more is dead (removed, put over, expired, invalidated), after writing
  // what is still good in it once more. Beside processes that use the store; what somebody is writing to, and what
  // there is no room to rewrite, is left alone. Calls `progress`, which may be empty, with the bytes that were looked
  // at and those to look at. One at a time in a store: waits for who is at it.
  Compacted compact(const std::function<void(std::uint64_t done, std::uint64_t all)>& progress = {});

  // Makes good what an inspection, `repaired.found`, has shown to be damaged, and says there what it did; see
  // upkeep.hpp.
  void mend(Repaired& repaired);

  // Throws std::logic_error, saying what, if the index or the mapped segments contradict themselves. For
  // tests. REQUIRES: nobody uses the store meanwhile, and no publisher was killed since.
  void check();

 private:
  friend class WaitNotice;
  friend class StreamedPut;
  friend class StoredValue;
  struct Body;
  class Mender;
  explicit Store(std::unique_ptr<Body> body);
  static Lease make_lease(std::shared_ptr<const void> file, std::uint64_t offset,
                          void (*release)(const void*, std::uint64_t) noexcept);
  std::unique_ptr<Body> body_;
};

}  // namespace larder::store
