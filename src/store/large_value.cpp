#include "store/large_value.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bits.hpp"
#include "base/hash.hpp"

namespace larder::store {

namespace {

std::uint64_t unwritten_max() {
  static const std::uint64_t bytes = os::memory_bytes() / 16;
  return bytes;
}

}  // namespace

LargeValue::LargeValue(const Control& control, Space& space, Trouble& trouble, const RecordParts& parts,
                       std::uint64_t front_bytes)
    : control_(control),
      space_(space),
      trouble_(trouble),
      key_bytes_(parts.key.size()),
      type_bytes_(parts.type.size()),
      tag_count_(parts.tags.size()),
      flags_(static_cast<std::uint8_t>(flags_of(parts) | k_flag_table_trails)),
      front_bytes_(front_bytes),
      value_offset_(extent_of_value(control.geometry().single_bytes_min()).value_offset),
      pacer_(value_offset_, unwritten_max()),
      partial_(front_bytes) {}

LargeValue::~LargeValue() {
  // In a forked child the segment is the parent's.
  if (segment_ && fork_generation_ == os::fork_generation()) discard();
}

Put LargeValue::begin(std::uint64_t bytes) {
  const std::uint64_t end = extent_of_value(std::max(bytes, control_.geometry().single_bytes_min())).end;
  Space::Granted<Writable> leased = space_.lease_single(end);
  if (!leased.value) return leased.refusal;
  segment_ = std::move(leased.value);
  return Put::stored;
}

Put LargeValue::write(Bytes bytes) {
  while (!bytes.empty()) {
    Put put = Put::stored;
    if (partial_.empty() && bytes.size() >= k_chunk_bytes && !(keeps_first_chunk() && chunks_.empty())) {
      put = add(bytes.first(k_chunk_bytes));
      bytes = bytes.subspan(k_chunk_bytes);
    } else {
      partial_.reserve(k_chunk_bytes);
      const Bytes part = bytes.first(std::min<std::uint64_t>(bytes.size(), k_chunk_bytes - partial_.size()));
      partial_.insert(partial_.end(), part.begin(), part.end());
      bytes = bytes.subspan(part.size());
      if (partial_.size() < k_chunk_bytes) continue;
      put = add(partial_);
      partial_.clear();
    }
    if (put != Put::stored) {
      discard();
      return put;
    }
  }
  return Put::stored;
}

Put LargeValue::reserve(std::uint64_t bytes) {
  const Space::Granted<bool> room = space_.reserve(*segment_, extent_of_value(bytes).end, Space::Room::made);
  return room.value ? Put::stored : room.refusal;
}

Put LargeValue::add(Bytes chunk) {
  if (const Put put = reserve(std::max(value_bytes_ + chunk.size(), control_.geometry().single_bytes_min()));
      put != Put::stored) {
    return put;
  }
  if (keeps_first_chunk() && chunks_.empty()) {
    chunks_.emplace_back();  // known when its front is
    first_.assign(chunk.begin(), chunk.end());
    value_bytes_ += chunk.size();
    return Put::stored;
  }
  // Digested, then written: so the second of them finds the chunk in the processor's cache.
  chunks_.push_back(base::hash128(chunk));
  // What lies beyond the file's last boundary is written with what comes after it: the system takes whole aligned MiB
  // in large pages, and a tenth less time.
  const std::uint64_t beyond = (value_offset_ + value_bytes_ + chunk.size()) % k_chunk_bytes;
  const Bytes now = chunk.first(chunk.size() - std::min<std::uint64_t>(chunk.size(), beyond));
  if (const Put put = write_out(now); put != Put::stored) return put;
  held_.assign(chunk.begin() + static_cast<std::ptrdiff_t>(now.size()), chunk.end());
  value_bytes_ += chunk.size();
  os::reached("store.stream.chunk");
  return Put::stored;
}

Put LargeValue::write_out(Bytes bytes) {
  const std::uint64_t offset = value_offset_ + value_bytes_ - held_.size();
  const std::array<Bytes, 2> pieces{Bytes(held_), bytes};
  if (Result<void> written = segment_->file.write_at(offset, pieces); !written) {
    trouble_.note(written.error(), segment_->file.path());
    return Put::fault;
  }
  held_.clear();
  pacer_.wrote(segment_->file, value_offset_ + value_bytes_ + bytes.size());
  return Put::stored;
}

Put LargeValue::end() {
  Put put = partial_.empty() ? Put::stored : add(partial_);
  partial_.clear();
  if (put == Put::stored) put = write_out({});
  if (put != Put::stored) discard();
  return put;
}

Result<void> LargeValue::finish(RecordParts& parts, Bytes front) {
  if (keeps_first_chunk()) {
    std::ranges::copy(front, first_.begin());
    chunks_[0] = base::hash128(first_);
  }
  parts.table = TablePlace::trails;
  parts.value_bytes = value_bytes_;
  parts.chunks = chunks_;
  const Extent extent = extent_of_value(value_bytes_);
  constexpr std::array<std::byte, k_record_align> zeros{};
  const std::vector<std::uint64_t> table = make_chunk_table(chunks_, segment_->seed, sizeof(SegmentHeader));
  const std::uint64_t value_end = extent.value_offset + value_bytes_;
  const std::uint64_t table_end = extent.table_offset + table.size() * 8;
  const std::array<Bytes, 3> tail{Bytes(zeros).first(extent.table_offset - value_end), std::as_bytes(std::span(table)),
                                  Bytes(zeros).first(extent.end - table_end)};
  if (Result<void> written = segment_->file.write_at(value_end, tail); !written) return written;
  os::reached("store.stream.table");
  const std::vector<std::byte> head = encode_head(parts, segment_->seed, sizeof(SegmentHeader));
  const std::array<Bytes, 2> beginning{Bytes(head), Bytes(first_)};
  return segment_->file.write_at(sizeof(SegmentHeader), beginning);
}

void LargeValue::discard() {
  if (segment_) space_.discard(*std::exchange(segment_, std::nullopt));
}

void LargeValue::seal() {
  SegmentEntry& entry = control_.segment(segment_->slot);
  // What was reserved for more than came.
  entry.reserved.store(std::min(entry.reserved.load(), base::align_up(record_end(), k_page_bytes)));
  entry.publishing.store(0);
  entry.state.store(SegmentState::sealed);
  space_.release(*std::exchange(segment_, std::nullopt));
}

}  // namespace larder::store
