// The appender: writes records. Of a process at most one segment is being appended to; a large value
// goes into a segment of its own, beside that, so that it holds nobody up.
//
// A record is written (pwritev from where its pieces are), then committed (the entry's `committed`, with
// release), then published in the index. Until it is committed it does not exist: whoever leases the
// segment next overwrites it.
//
// Thread-safe: appends to the shared segment take turns under a mutex, which is held until the record is
// published, so that the segment cannot be given away in between.
#pragma once

#include <mutex>
#include <optional>
#include <set>

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
      : control_(control), space_(space), segments_(segments), index_(index), journal_(journal), trouble_(trouble) {}

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
  // Gives the append lease back if nothing was written since `idle_since` (monotonic).
  void give_up(std::int64_t idle_since_ns);

 private:
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return control_.page().sequence.fetch_add(1); }
  [[nodiscard]] bool fits(const SegmentEntry& entry, const RecordParts& parts) const noexcept;
  // The bytes that the record takes.
  Result<std::uint64_t> write(const Writable& segment, const RecordParts& parts, std::uint64_t offset,
                              std::span<const Bytes> value);
  // All REQUIRE mutex_.
  // Put::stored: there is a segment with room for the record.
  Put prepare(const RecordParts& parts, Space::Room room);
  void seal();
  Put append_leased(const Key& key, RecordParts& parts, std::span<const Bytes> value, std::uint64_t stamp,
                    Journal::Position& noted);

  Put append_shared(const Key& key, RecordParts& parts, std::span<const Bytes> value, std::uint64_t stamp,
                    Journal::Position& noted);
  Put append_single(const Key& key, const RecordParts& parts, std::span<const Bytes> value, std::uint64_t stamp,
                    Journal::Position& noted);
  Moved move_announced(const RecordParts& parts, Bytes value, Location from);
  void commit(const Writable& segment, std::uint64_t end);
  void announce(const Digest& fingerprint, const Writable& segment);

  const Control& control_;
  Space& space_;
  Segments& segments_;
  Index& index_;
  Journal& journal_;
  Trouble& trouble_;
  std::mutex mutex_;
  std::optional<Writable> segment_;  // guarded by mutex_
  std::int64_t last_write_ns_ = 0;   // likewise
};

}  // namespace larder::store
