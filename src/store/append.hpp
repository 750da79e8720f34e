// The appender: writes records. A process appends to one segment, or to a few if some of its records expire much sooner
// than others: what is over at about the same time lies together, so that segments come to be over as a whole, and are
// reclaimed before all others, for nothing. A large value goes into a segment of its own, so that it holds nobody up.
//
// A record is written (pwritev from where its pieces are), then committed (the entry's `committed`, with
// release), then published in the index. Until it is committed it does not exist: whoever leases the
// segment next overwrites it.
//
// Thread-safe: appends to shared segments take turns under a mutex, which is held until the record is
// published, so that the segment cannot be given away in between.
#pragma once

#include <mutex>
#include <set>
#include <vector>

#include "base/mutex.hpp"
#include "store/control.hpp"
#include "store/index.hpp"
#include "store/large_value.hpp"
#include "store/reclaim.hpp"
#include "store/segments.hpp"
#include "store/trouble.hpp"

namespace larder::store {

class Appender {
 public:
  Appender(const Control& control, Space& space, Segments& segments, Index& index, Journal& journal, Trouble& trouble)
      : control_(control), space_(space), segments_(segments), index_(index), journal_(journal), trouble_(trouble) {
    held_.reserve(k_held_max);
  }

  // Appends and publishes a value of the key, unless the key changed since `stamp`: that is asked after
  // the record has its sequence number, and again by Index::publish. `parts.sequence` is assigned here. What has to be
  // synced before anybody relies on it is in `noted` afterwards.
  Put append_value(const Key& key, RecordParts parts, std::span<const Bytes> value, std::uint64_t stamp,
                   Journal::Position& noted);
  // Completes and publishes a value that was written already, likewise. `front`: see LargeValue.
  Put publish_large(const Key& key, RecordParts parts, LargeValue& value, Bytes front, std::uint64_t stamp,
                    Journal::Position& noted);
  // Appends a record that lies elsewhere once more, as it is given, and leads its slot to the copy. `value` was
  // verified. Takes no room but what is free. The id of the segment that it went to is added to `into`.
  enum class Moved : std::uint8_t {
    done,
    gone,     // no slot leads to it any more: somebody changed the key
    refused,  // there is no room, or the system refused
  };
  Moved move(const RecordParts& parts, Bytes value, Location from, std::set<std::uint64_t>& into);
  // Gives the append leases back of segments to which nothing was written since `idle_since` (monotonic).
  void give_up(std::int64_t idle_since_ns);

 private:
  // A segment that this process appends to.
  struct Held {
    Writable segment;
    std::int64_t last_write_ns;
  };
  static constexpr std::size_t k_held_max = 4;

  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return control_.page().sequence.fetch_add(1); }
  [[nodiscard]] bool fits(const SegmentEntry& entry, const RecordParts& parts) const noexcept;
  // The bytes that the record takes.
  Result<std::uint64_t> write(const Writable& segment, const RecordParts& parts, std::uint64_t offset,
                              std::span<const Bytes> value);
  // Whether the record may lie in that shared segment: it is over at about the same time as those that are there.
  [[nodiscard]] bool suits(const SegmentEntry& entry, const RecordParts& parts) const;
  [[nodiscard]] const SegmentEntry& entry_of(const Held& held) const { return control_.segment(held.segment.slot); }
  // All REQUIRE mutex_.
  // Put::stored: the last of held_ has room for the record.
  Put prepare(const RecordParts& parts, Space::Room room);
  Put hold(const RecordParts& parts, Space::Room room);
  void seal(const Writable& segment);
  void let_go(std::size_t held);
  Put append_leased(const Writable& segment, const Key& key, RecordParts& parts, std::span<const Bytes> value,
                    std::uint64_t stamp, Journal::Position& noted);

  Put append_shared(const Key& key, RecordParts& parts, std::span<const Bytes> value, std::uint64_t stamp,
                    Journal::Position& noted);
  Put append_single(const Key& key, const RecordParts& parts, std::span<const Bytes> value, std::uint64_t stamp,
                    Journal::Position& noted);
  Moved move_announced(const Writable& segment, const RecordParts& parts, Bytes value, Location from);
  void commit(const Writable& segment, const RecordParts& parts, std::uint64_t end);
  void announce(const Digest& fingerprint, const Writable& segment);

  const Control& control_;
  Space& space_;
  Segments& segments_;
  Index& index_;
  Journal& journal_;
  Trouble& trouble_;
  base::Mutex mutex_;
  // The one that was used last is the last. Guarded by mutex_. There is room for k_held_max: no lease is lost to a
  // bad_alloc.
  std::vector<Held> held_;
};

}  // namespace larder::store
