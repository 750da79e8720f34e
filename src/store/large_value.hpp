// A LargeValue is a value on its way into a segment of its own, piece by piece: how long it is need not be known before
// its last byte.
//
// A chunk is digested and written as soon as it is whole (the pages beyond the file's last whole MiB with the next
// one), and nothing but the chunk that is not is held in memory. The record's head is written last, behind the chunk
// table: until then there is no record, and who opens the segment of a writer that died finds none. The value may have
// a *front*, bytes that depend on all the others: their place is kept, and the first chunk with it in memory, until
// finish().
//
// Not thread-safe. The segment is leased meanwhile, so that nobody reclaims it; its room is reserved as it grows.
#pragma once

#include <optional>
#include <vector>

#include "store/control.hpp"
#include "store/pacer.hpp"
#include "store/reclaim.hpp"
#include "store/store.hpp"
#include "store/trouble.hpp"

namespace larder::store {

class LargeValue {
 public:
  // `parts` says how long key, type and tags are.
  LargeValue(const Control& control, Space& space, Trouble& trouble, const RecordParts& parts,
             std::uint64_t front_bytes);
  // Discards the segment, unless sealed.
  ~LargeValue();
  LargeValue(const LargeValue&) = delete;
  LargeValue& operator=(const LargeValue&) = delete;

  // Makes the segment, with room for a value of `bytes`, its front included, as far as that is known. Put::stored: go
  // on.
  Put begin(std::uint64_t bytes);
  // Put::stored: go on. Otherwise nothing is left of the value. REQUIRES: begun.
  Put write(Bytes bytes);
  // All bytes were written: as write(). REQUIRES: at least Geometry::single_bytes_min() were, the front included.
  Put end();
  // Writes what is missing of the record: it is whole then, but not committed. Sets what `parts` says of the value.
  // REQUIRES: ended.
  Result<void> finish(RecordParts& parts, Bytes front);

  [[nodiscard]] const Writable& segment() const noexcept { return *segment_; }
  // Where the record ends. REQUIRES: ended.
  [[nodiscard]] std::uint64_t record_end() const noexcept { return extent_of_value(value_bytes_).end; }
  // Frees what the value takes.
  void discard();
  // Leaves it to whoever finds it: there the directory is another store's.
  void abandon() noexcept { segment_.reset(); }
  // The record was published: gives the segment up.
  void seal();

 private:
  [[nodiscard]] Extent extent_of_value(std::uint64_t bytes) const noexcept {
    return extent_of(sizeof(SegmentHeader), key_bytes_, type_bytes_, tag_count_, bytes, flags_);
  }
  [[nodiscard]] bool keeps_first_chunk() const noexcept { return front_bytes_ != 0; }
  Put reserve(std::uint64_t bytes);
  Put add(Bytes chunk);
  // Writes what is held, and the bytes behind it.
  Put write_out(Bytes bytes);

  const Control& control_;
  Space& space_;
  Trouble& trouble_;
  const std::uint64_t fork_generation_ = os::fork_generation();
  const std::uint64_t key_bytes_;
  const std::uint64_t type_bytes_;
  const std::uint64_t tag_count_;
  const std::uint8_t flags_;
  const std::uint64_t front_bytes_;
  const std::uint64_t value_offset_;
  std::optional<Writable> segment_;
  Pacer pacer_;
  std::vector<std::byte> held_;  // the end of value_bytes_ that is not written yet, less than a chunk
  std::vector<Digest> chunks_;
  std::vector<std::byte> first_;    // the first chunk, if there is a front
  std::vector<std::byte> partial_;  // the chunk that is not whole yet
  std::uint64_t value_bytes_ = 0;   // of whole chunks; of all when ended
};

}  // namespace larder::store
