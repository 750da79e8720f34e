#include "store/append.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/bits.hpp"
#include "base/clock.hpp"

namespace larder::store {

namespace {

constexpr std::array<std::byte, k_record_align> k_zeros{};

// Of records that take less, the heads are in most pages that are brought in together.
constexpr std::uint64_t k_small_record_bytes = 64 * 1024;

// Where a footer of `records` items that starts at `offset` ends, its trailer included.
std::uint64_t sealed_end(std::uint64_t offset, std::uint64_t records) noexcept {
  return extent_of(offset, 0, 0, 0, records * sizeof(FooterItem)).end + sizeof(Trailer);
}

Extent extent_of_parts(const RecordParts& parts, std::uint64_t offset) noexcept {
  return extent_of(offset, parts.key.size(), parts.type.size(), parts.tags.size(), parts.value_bytes, flags_of(parts));
}

// Until when the segment lasts. One that was written to before that was kept may last for ever.
LastsUntil known(const SegmentEntry& entry) noexcept {
  const LastsUntil until = entry.lasts_until.load();
  return until == k_lasts_unknown && entry.committed.load() > sizeof(SegmentHeader) ? k_lasts_always : until;
}

}  // namespace

bool Appender::suits(const SegmentEntry& entry, const RecordParts& parts) const {
  const LastsUntil there = known(entry);
  const LastsUntil until = lasts_until(parts.expires_ms);
  return there == k_lasts_unknown || there == until || last_alike(there, until, index_.now_ms());
}

bool Appender::fits(const SegmentEntry& entry, const RecordParts& parts) const noexcept {
  return sealed_end(extent_of_parts(parts, entry.committed.load()).end, entry.records.load() + 1) <=
         control_.page().segment_bytes;
}

Result<std::uint64_t> Appender::write(const Writable& segment, const RecordParts& parts, std::uint64_t offset,
                                      std::span<const Bytes> value) {
  const std::vector<std::byte> head = encode_head(parts, segment.seed, offset);
  const Extent extent = extent_of_parts(parts, offset);
  std::vector<Bytes> pieces;
  pieces.reserve(value.size() + 2);
  pieces.emplace_back(head);
  pieces.insert(pieces.end(), value.begin(), value.end());
  pieces.push_back(Bytes(k_zeros).first(extent.end - extent.value_offset - parts.value_bytes));
  os::reached("store.append.before_write");
  if (Result<void> written = segment.file.write_at(offset, pieces); !written) return written.error();
  os::reached("store.append.written");
  commit(segment, parts, extent.end);
  return extent.end - offset;
}

void Appender::commit(const Writable& segment, const RecordParts& parts, std::uint64_t end) {
  // Counted before it is committed: a kill in between makes the footer's room too large, never too small; and the
  // segment lasts too long, never too short.
  SegmentEntry& entry = control_.segment(segment.slot);
  entry.lasts_until.store(std::max(known(entry), lasts_until(parts.expires_ms)));
  entry.last_sequence.store(control_.last_sequence(), std::memory_order_relaxed);
  entry.records.store(entry.records.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  entry.committed.store(end, std::memory_order_release);
  os::reached("store.append.committed");
}

Put Appender::prepare(const RecordParts& parts, Space::Room room) {
  if (const Put put = hold(parts, room); put != Put::stored) return put;
  const SegmentEntry& entry = entry_of(held_.back());
  const Extent extent = extent_of_parts(parts, entry.committed.load());
  const std::uint64_t end = sealed_end(extent.end, entry.records.load() + 1);
  // Room that is short is not held for other lifetimes.
  if (held_.size() > 1 && !space_.reserve(held_.back().segment, end, Space::Room::spare).value) {
    while (held_.size() > 1) let_go(0);
  }
  const Space::Granted<bool> grown = space_.reserve(held_.back().segment, end, room);
  if (!grown.value) return grown.refusal;
  held_.back().last_write_ns = base::monotonic_ns();
  return Put::stored;
}

Put Appender::hold(const RecordParts& parts, Space::Room room) {
  const auto entry = [this](const Held& held) -> const SegmentEntry& { return entry_of(held); };
  const auto suiting = [&](const SegmentEntry& there) { return suits(there, parts); };
  const auto fitting = [&](const SegmentEntry& there) { return fits(there, parts); };
  const auto use = [this](std::vector<Held>::iterator held) {
    std::rotate(held, held + 1, held_.end());
    return Put::stored;
  };
  const auto lease = [&](const std::function<bool(const SegmentEntry&)>& wanted, Space::Room from) {
    Space::Granted<Writable> leased = space_.lease_shared(wanted, from);
    if (leased.value) held_.push_back({*std::move(leased.value), base::monotonic_ns()});
    return leased.value ? Put::stored : leased.refusal;
  };
  if (const auto held = std::ranges::find_if(held_, suiting, entry); held != held_.end()) {
    if (fitting(entry(*held))) return use(held);
    seal(held->segment);
    let_go(static_cast<std::size_t>(held - held_.begin()));
  }
  if (held_.size() < k_held_max && !space_.crowded()) {
    const auto both = [&](const SegmentEntry& there) { return suiting(there) && fitting(there); };
    if (lease(both, held_.empty() ? room : Space::Room::spare) == Put::stored) return Put::stored;
  }
  // Lifetimes are mixed rather than that so much is held that others find no room.
  if (const auto held = std::ranges::find_if(held_, fitting, entry); held != held_.end()) return use(held);
  while (!held_.empty()) let_go(0);
  return lease(fitting, room);
}

void Appender::let_go(std::size_t held) {
  space_.release(std::move(held_[held].segment));
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(held));
}

void Appender::seal(const Writable& segment) {
  SegmentEntry& entry = control_.segment(segment.slot);
  const std::uint64_t offset = entry.committed.load();
  const Result<std::uint64_t> file_bytes = segment.file.size();
  std::vector<FooterItem> items;
  std::uint64_t walked = 0;
  if (const Segments::Pin pin = segments_.pin(segment.slot)) {
    // All at once takes less time then.
    const bool small_records = entry.records.load() > offset / k_small_record_bytes;
    if (!small_records || pin.bring_in(pin.bytes())) {
      walked = walk_records([&](std::uint64_t at) { return pin.record(at); },
                            [&](const RecordView& record) { items.push_back(footer_item(record)); });
    }
  }
  const Extent extent = extent_of(offset, 0, 0, 0, items.size() * sizeof(FooterItem));
  // The trailer is the file's end, also if a writer that died left bytes beyond the footer. Without room
  // for it, or with a damaged record, there is no footer: a rebuild walks the headers instead.
  const std::uint64_t trailer_offset =
      std::max(extent.end, file_bytes ? base::align_up(*file_bytes, k_record_align) : 0);
  if (file_bytes && walked == offset && trailer_offset + sizeof(Trailer) <= entry.reserved.load()) {
    RecordParts parts;
    parts.kind = Kind::footer;
    parts.sequence = entry.last_sequence.load();
    const Bytes value = std::as_bytes(std::span(items));
    const std::vector<Digest> chunks = digest_chunks(std::span(&value, 1), value.size());
    parts.value_bytes = value.size();
    parts.chunks = chunks;
    const std::vector<std::byte> head = encode_head(parts, segment.seed, offset);
    const Trailer trailer = make_trailer(offset, segment.id, segment.seed);
    const std::array<Bytes, 3> footer{Bytes(head), value,
                                      Bytes(k_zeros).first(extent.end - extent.value_offset - value.size())};
    const Bytes trailer_bytes = std::as_bytes(std::span(&trailer, 1));
    os::reached("store.seal.before_write");
    Result<void> written = segment.file.write_at(offset, footer);
    if (written) written = segment.file.write_at(trailer_offset, std::span(&trailer_bytes, 1));
    os::reached("store.seal.written");
    if (written) {
      entry.committed.store(extent.end, std::memory_order_release);
    } else {
      trouble_.note(written.error(), segment.file.path());
    }
  }
  entry.state.store(SegmentState::sealed);
  os::reached("store.seal.sealed");
  if (const Result<std::uint64_t> bytes = segment.file.size()) {
    entry.reserved.store(std::min(entry.reserved.load(), base::align_up(*bytes, k_page_bytes)));
  }
}

Put Appender::append_value(const Key& key, RecordParts parts, std::span<const Bytes> value, std::uint64_t stamp,
                           Journal::Position& noted) {
  const std::uint64_t alone_end = extent_of_parts(parts, sizeof(SegmentHeader)).end;
  if (!space_.could_hold(alone_end)) return Put::too_large;
  return alone_end >= control_.geometry().single_bytes_min() ? append_single(key, parts, value, stamp, noted)
                                                             : append_shared(key, parts, value, stamp, noted);
}

void Appender::announce(const Digest& fingerprint, const Writable& segment) {
  SegmentEntry& entry = control_.segment(segment.slot);
  if (entry.publishing.load() != 0) space_.bury(segment);
  entry.publishing_at.store(entry.committed.load());
  entry.publishing.store(key_mark(fingerprint));
}

Put Appender::append_shared(const Key& key, RecordParts& parts, std::span<const Bytes> value, std::uint64_t stamp,
                            Journal::Position& noted) {
  const std::vector<Digest> chunks = digest_chunks(value, parts.value_bytes);
  parts.chunks = chunks;
  const std::lock_guard lock(mutex_);
  if (const Put put = prepare(parts, Space::Room::made); put != Put::stored) return put;
  const Writable& segment = held_.back().segment;
  announce(key.fingerprint(), segment);
  const Put put = append_leased(segment, key, parts, value, stamp, noted);
  control_.segment(segment.slot).publishing.store(0);
  return put;
}

Put Appender::append_leased(const Writable& segment, const Key& key, RecordParts& parts, std::span<const Bytes> value,
                            std::uint64_t stamp, Journal::Position& noted) {
  // The mark and the number first, then the question: a removal that this misses sees the mark, and gets a
  // higher number than the record.
  parts.sequence = next_sequence();
  if (!index_.unchanged(key, stamp)) return Put::superseded;
  const std::uint64_t offset = control_.segment(segment.slot).committed.load();
  const Result<std::uint64_t> written = write(segment, parts, offset, value);
  if (!written) {
    trouble_.note(written.error(), segment.file.path());
    return Put::fault;
  }
  trouble_.count(Counter::stored);
  trouble_.count(Counter::stored_bytes, *written);
  const Index::Published published = index_.publish(key, {segment.slot, offset}, parts.sequence, stamp, noted);
  os::reached("store.append.published");
  if (published == Index::Published::done) return Put::stored;
  // A rebuild would find the record otherwise.
  noted = std::max(noted, journal_.note_key(key.fingerprint(), parts.sequence));
  return Put::superseded;
}

Put Appender::append_single(const Key& key, const RecordParts& parts, std::span<const Bytes> value, std::uint64_t stamp,
                            Journal::Position& noted) {
  if (!index_.unchanged(key, stamp)) return Put::superseded;
  LargeValue large(control_, space_, trouble_, parts, 0);
  if (const Put put = large.begin(parts.value_bytes); put != Put::stored) return put;
  for (const Bytes piece : value) {
    if (const Put put = large.write(piece); put != Put::stored) return put;
  }
  return publish_large(key, parts, large, {}, stamp, noted);
}

Put Appender::publish_large(const Key& key, RecordParts parts, LargeValue& value, Bytes front, std::uint64_t stamp,
                            Journal::Position& noted) {
  if (const Put put = value.end(); put != Put::stored) return put;
  const Writable& segment = value.segment();
  announce(key.fingerprint(), segment);
  parts.sequence = next_sequence();
  if (!index_.unchanged(key, stamp)) {
    value.discard();
    return Put::superseded;
  }
  os::reached("store.append.before_write");
  if (Result<void> written = value.finish(parts, front); !written) {
    trouble_.note(written.error(), segment.file.path());
    value.discard();
    return Put::fault;
  }
  os::reached("store.append.written");
  commit(segment, parts, value.record_end());
  trouble_.count(Counter::stored);
  trouble_.count(Counter::stored_bytes, value.record_end() - sizeof(SegmentHeader));
  const Location at{segment.slot, sizeof(SegmentHeader)};
  const Index::Published published = index_.publish(key, at, parts.sequence, stamp, noted);
  os::reached("store.append.published");
  if (published != Index::Published::done) {
    noted = std::max(noted, journal_.note_key(key.fingerprint(), parts.sequence));
    value.discard();
    return Put::superseded;
  }
  value.seal();
  return Put::stored;
}

Appender::Moved Appender::move(const RecordParts& parts, Bytes value, Location from, std::set<std::uint64_t>& into) {
  const std::lock_guard lock(mutex_);
  if (prepare(parts, Space::Room::spare) != Put::stored) return Moved::refused;
  const Writable& segment = held_.back().segment;
  into.insert(segment.id);
  announce(parts.fingerprint, segment);
  const Moved moved = move_announced(segment, parts, value, from);
  control_.segment(segment.slot).publishing.store(0);
  return moved;
}

Appender::Moved Appender::move_announced(const Writable& segment, const RecordParts& parts, Bytes value,
                                         Location from) {
  // The mark and the count first, then the question: a removal that does not see the mark saw the slot, and one that
  // has noted what it removes before the mark was there sees the count, and notes it again.
  control_.page().moved.fetch_add(1);
  os::reached("store.move.announced");
  if (index_.slots().published(parts.fingerprint, from).slot == nullptr) return Moved::gone;
  const Location to{segment.slot, control_.segment(segment.slot).committed.load()};
  const Result<std::uint64_t> written = write(segment, parts, to.offset, std::span(&value, 1));
  if (!written) {
    trouble_.note(written.error(), segment.file.path());
    return Moved::refused;
  }
  trouble_.count(Counter::reinserted);
  trouble_.count(Counter::reinserted_bytes, *written);
  if (index_.slots().move(parts.fingerprint, from, to)) {
    os::reached("store.move.moved");
    return Moved::done;
  }
  // A rebuild would find the copy otherwise.
  journal_.note_record(to);
  os::reached("store.move.withdrawn");
  return Moved::gone;
}

void Appender::give_up(std::int64_t idle_since_ns) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = held_.size(); i-- > 0;) {
    if (held_[i].last_write_ns <= idle_since_ns) let_go(i);
  }
}

}  // namespace larder::store
