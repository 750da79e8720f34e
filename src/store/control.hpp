// What the processes that use a store share through mapped files: control (identity, counters, the
// segment table), the generation table and the counters.
//
// Mapping only: who may change what, and under which lock, is said where it is done (reclaim.hpp,
// append.hpp, rebuild.hpp). Atomics may be read from any thread and process.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>

#include <larder/result.hpp>

#include "os/os.hpp"
#include "store/format.hpp"

namespace larder::store {

// Whether a file is lost, and not only refused by the system for now.
[[nodiscard]] inline bool lost(const Error& error) noexcept {
  return error.code() == Errc::not_found || error.code() == Errc::damaged;
}
// The same of a file on a disk that may fail: waiting for it to become readable would be waiting for ever.
[[nodiscard]] inline bool unreadable(const Error& error) noexcept {
  return lost(error) || error.code() == Errc::io;
}

// The files of a store's directory, and who may use those that are made.
struct Paths {
  std::filesystem::path root;
  os::Audience audience = {};

  [[nodiscard]] std::filesystem::path v1() const { return root / "v1"; }
  [[nodiscard]] std::filesystem::path control() const { return v1() / "control"; }
  [[nodiscard]] std::filesystem::path gen() const { return v1() / "gen"; }
  [[nodiscard]] std::filesystem::path stats() const { return v1() / "stats"; }
  [[nodiscard]] std::filesystem::path waits() const { return v1() / "waits"; }
  [[nodiscard]] std::filesystem::path index(std::uint64_t number) const {
    return v1() / ("index." + std::to_string(number));
  }
  [[nodiscard]] std::filesystem::path journal(std::uint64_t number) const {
    return v1() / ("journal." + std::to_string(number));
  }
  [[nodiscard]] std::filesystem::path segments() const { return v1() / "seg"; }
  [[nodiscard]] std::filesystem::path segment(std::uint64_t id) const { return segments() / segment_name(id); }
  [[nodiscard]] std::filesystem::path locks() const { return v1() / "locks"; }
  [[nodiscard]] std::filesystem::path lease(std::size_t number) const;
  [[nodiscard]] std::filesystem::path pin(std::size_t number) const;
};

// The mapped control file.
class Control {
 public:
  enum class Found { whole, damaged };

  // Looks at the file without changing anything. `damaged` includes: not there. Errc::incompatible_format, with the
  // cure, if the store is of a format or uses features that this release does not know.
  static Result<Found> look(const Paths& paths);
  // Makes the file for a new store, replacing one that is there. The last step makes it valid.
  static Result<Control> create(const Paths& paths, const Geometry& geometry, std::uint64_t limit);
  // REQUIRES: look() found it whole. Nothing of what was opened to be read may be changed.
  static Result<Control> open(const Paths& paths, os::Mapping::Access access = os::Mapping::Access::read_write);
  // REQUIRES: everything else of the store is in place.
  void make_valid() noexcept;

  [[nodiscard]] ControlPage& page() const noexcept { return *reinterpret_cast<ControlPage*>(mapping_.data()); }
  [[nodiscard]] Geometry geometry() const noexcept {
    return {page().segment_bytes, page().segment_slots, page().index_buckets_log2, page().gen_log2,
            page().journal_log2};
  }
  [[nodiscard]] IndexShape index() const noexcept { return IndexShape::of(page().index.load()); }
  // What everything but the segments takes.
  [[nodiscard]] std::uint64_t overhead_bytes() const noexcept { return geometry().fixed_bytes() + index().bytes(); }
  [[nodiscard]] std::span<SegmentEntry> segments() const noexcept {
    return {reinterpret_cast<SegmentEntry*>(mapping_.data() + k_page_bytes), slots_};
  }
  // Those that ever were used. Entries are taken from the front: behind one that never was there is none.
  [[nodiscard]] std::span<SegmentEntry> used_segments() const noexcept;
  // REQUIRES: slot < segments().size().
  [[nodiscard]] SegmentEntry& segment(std::uint32_t slot) const noexcept { return segments()[slot]; }
  // A rebuild ignores records of up to this sequence: something that hides one of them is not in the journal, which
  // could not be written. One too high costs time; one too low would bring removed values back: of its two copies the
  // higher one counts.
  [[nodiscard]] std::uint64_t floor() const noexcept;
  void raise_floor(std::uint64_t sequence) const noexcept;
  // The last sequence that was given out.
  [[nodiscard]] std::uint64_t last_sequence() const noexcept { return page().sequence.load() - 1; }

  // Whether a record of the key is on its way, in another segment than `except`: it may be committed before a slot
  // leads to it.
  [[nodiscard]] bool publishing(const Digest& fingerprint, std::optional<std::uint32_t> except = {}) const noexcept;
  // Whether the path still leads to this store: somebody may have deleted or replaced the directory.
  [[nodiscard]] Result<bool> in_place(const Paths& paths) const;

 private:
  os::Mapping mapping_;
  std::size_t slots_ = 0;
};

// A file of a fixed size that begins with a TablePage: `gen`, `stats`.
class Table {
 public:
  // Zeros, or what `fill` writes; whole only after that.
  static Result<Table> create(const std::filesystem::path& path, const os::Audience& audience, std::uint64_t magic,
                              const Uuid& uuid, std::uint64_t bytes,
                              const std::function<void(std::byte* data)>& fill = nullptr);
  // Errc::damaged unless the file is whole.
  static Result<Table> open(const std::filesystem::path& path, std::uint64_t magic, const Uuid& uuid,
                            std::uint64_t bytes);
  [[nodiscard]] std::byte* data() const noexcept { return mapping_.data(); }

 private:
  os::Mapping mapping_;
};

// The generation table: change counters of keys. Keys share counters; a key has two, by two halves of its
// fingerprint, and a put or a removal of the key counts both. So another key's changes seldom look like this
// key's: only where both counters differ can it have changed (changed()), and where neither differs what is
// remembered of it is current.
class Generations {
 public:
  Generations(Table table, const Geometry& geometry) noexcept
      : table_(std::move(table)),
        counters_(reinterpret_cast<Counter*>(table_.data() + geometry.gen_keys_offset()), geometry.generations()) {}

  [[nodiscard]] std::uint64_t stamp(const Digest& fingerprint) const noexcept {
    const std::uint32_t one = first(fingerprint).load();
    return join(one, second(fingerprint).load());
  }
  // Returns the stamp that this change made.
  std::uint64_t bump(const Digest& fingerprint) noexcept {
    while (true) {
      const std::uint32_t two = second(fingerprint).fetch_add(1) + 1;
      os::reached("store.bump.half");
      const std::uint32_t one = first(fingerprint).fetch_add(1) + 1;
      const std::uint64_t mine = join(one, two);
      // Of two changes that cross, each could take itself for the later one: neither would be changed() by the other.
      if (stamp(fingerprint) == mine) return mine;
    }
  }
  void bump_all() noexcept { clears().fetch_add(1); }
  [[nodiscard]] std::uint64_t cleared() const noexcept { return clears().load(); }
  // Tells those who remember a value of the key to ask again, and nobody to withdraw what he is publishing: another
  // record of the key was cleared, but the key was neither put nor removed.
  void outdate(const Digest& fingerprint) noexcept { first(fingerprint).fetch_add(1); }

  // Whether the key may have changed between two of its stamps.
  [[nodiscard]] static bool changed(std::uint64_t from, std::uint64_t to) noexcept {
    const std::uint64_t difference = from ^ to;
    return (difference >> 32) != 0 && static_cast<std::uint32_t>(difference) != 0;
  }

 private:
  using Counter = std::atomic<std::uint32_t>;
  [[nodiscard]] Counter& first(const Digest& fingerprint) const noexcept {
    return counters_[fingerprint.high & (counters_.size() - 1)];
  }
  // Never the same counter as the first.
  [[nodiscard]] Counter& second(const Digest& fingerprint) const noexcept {
    const std::size_t mask = counters_.size() - 1;
    return counters_[(fingerprint.high + 1 + (fingerprint.high >> 32) % mask) & mask];
  }
  [[nodiscard]] std::atomic<std::uint64_t>& clears() const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(table_.data() + k_gen_clear_offset);
  }
  // A clear changes both halves of every key's stamp.
  [[nodiscard]] std::uint64_t join(std::uint32_t one, std::uint32_t two) const noexcept {
    const auto cleared = static_cast<std::uint32_t>(clears().load());
    return std::uint64_t{static_cast<std::uint32_t>(two + cleared)} << 32 | static_cast<std::uint32_t>(one + cleared);
  }

  Table table_;
  std::span<Counter> counters_;  // a power of two
};

// The generations of tags in `gen`, with the store's sequence numbers as the clock.
[[nodiscard]] TagTable tags_in(const Table& gen, const Control& control) noexcept;
// For a new `gen` of an old store, where nobody knows any more what was invalidated: whatever has a tag, at `moment`.
void invalidate_all_tags(std::byte* gen, const Geometry& geometry, std::uint64_t moment) noexcept;

// Makes a file of the given size with real room on disk and maps it writable, with addresses for what it may become.
// Replaces one that is there.
Result<os::Mapping> make_mapped_file(const std::filesystem::path& path, const os::Audience& audience,
                                     std::uint64_t bytes, std::uint64_t mapped_bytes);
// Maps an existing file. Errc::damaged unless it has exactly that size.
Result<os::Mapping> map_file(const std::filesystem::path& path, std::uint64_t bytes,
                             os::Mapping::Access access = os::Mapping::Access::read_write);

// The same for an index: all that it may become is mapped, and is touched only as far as it is there.
Result<os::Mapping> make_index(const Paths& paths, const IndexShape& shape);
Result<os::Mapping> map_index(const Paths& paths, const IndexShape& shape,
                              os::Mapping::Access access = os::Mapping::Access::read_write);
// Gives the index's file room for that shape. REQUIRES: the budget lock, and room for it.
Result<void> grow_index(const Paths& paths, const IndexShape& shape);

}  // namespace larder::store
