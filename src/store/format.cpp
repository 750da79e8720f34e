#include "store/format.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/bits.hpp"
#include "base/hash.hpp"

namespace larder::store {

namespace {

// Seeds that keep one kind of checksum from passing as another.
constexpr std::uint64_t k_seed_segment = 1;
constexpr std::uint64_t k_seed_segment_header = 2;
constexpr std::uint64_t k_seed_trailer = 3;
constexpr std::uint64_t k_seed_control = 4;
constexpr std::uint64_t k_seed_table = 5;
constexpr std::uint64_t k_seed_journal = 6;
constexpr std::uint64_t k_seed_journal_entry = 7;

// An index does not grow beyond this part of the limit.
constexpr std::uint64_t k_index_part_max = 16;

// Cost and creation time; of a frame, what is in it.
constexpr std::uint64_t fixed_body_bytes(std::uint8_t flags) noexcept {
  const auto has = [flags](std::uint8_t flag) { return (flags & flag) != 0 ? 1 : 0; };
  return 16U + 8U * has(k_flag_framed) + 8U * has(k_flag_graced);
}

template <class T>
Bytes bytes_of(const T& object, std::size_t length = sizeof(T)) noexcept {
  return std::as_bytes(std::span(&object, 1)).first(length);
}

template <class T>
T load(Bytes bytes, std::uint64_t offset) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::uint64_t record_seed(std::uint64_t seed, std::uint64_t offset) noexcept {
  return base::hash64(bytes_of(offset), seed);
}

// Of a record's header and body; `head` starts at the header.
std::uint64_t head_checksum(Bytes head, std::uint64_t seed) noexcept {
  return base::hash64(head.subspan(16), seed ^ load<std::uint64_t>(head, 0));
}

// The seed of the head's checksum where the chunk table is not part of the head.
std::uint64_t bound_to_table(std::uint64_t bound, Bytes table) noexcept {
  return bound ^ base::hash64(table, bound);
}

// Chunk digests do not depend on where the record lies, so that they can be computed before that is known.
std::uint64_t chunk_checksum(const Digest& digest, std::uint64_t number, std::uint64_t seed) noexcept {
  const std::array<std::uint64_t, 3> words{digest.low, digest.high, number};
  return base::hash64(std::as_bytes(std::span(words)), seed);
}

}  // namespace

std::uint64_t segment_seed(const Uuid& uuid, std::uint64_t id) noexcept {
  std::array<std::byte, 24> bytes{};
  std::memcpy(bytes.data(), uuid.data(), uuid.size());
  std::memcpy(bytes.data() + uuid.size(), &id, sizeof id);
  return base::hash64(bytes, k_seed_segment);
}

SegmentHeader make_segment_header(const Uuid& uuid, std::uint64_t id) noexcept {
  SegmentHeader header{};
  header.magic = k_segment_magic;
  header.id = id;
  header.uuid = uuid;
  header.checksum = base::hash64(bytes_of(header, offsetof(SegmentHeader, checksum)), k_seed_segment_header);
  return header;
}

bool valid_segment_header(Bytes file, const Uuid& uuid, std::uint64_t id) noexcept {
  const SegmentHeader expected = make_segment_header(uuid, id);
  return file.size() >= sizeof expected && std::memcmp(file.data(), &expected, sizeof expected) == 0;
}

Trailer make_trailer(std::uint64_t footer_offset, std::uint64_t id, std::uint64_t seed) noexcept {
  Trailer trailer{};
  trailer.magic = k_trailer_magic;
  trailer.footer_offset = footer_offset;
  trailer.segment_id = id;
  trailer.checksum = base::hash64(bytes_of(trailer, offsetof(Trailer, checksum)), seed ^ k_seed_trailer);
  return trailer;
}

std::optional<std::uint64_t> read_trailer(Bytes file, std::uint64_t id, std::uint64_t seed) noexcept {
  if (file.size() < sizeof(SegmentHeader) + sizeof(Trailer) || file.size() % k_record_align != 0) return std::nullopt;
  const auto trailer = load<Trailer>(file, file.size() - sizeof(Trailer));
  const Trailer expected = make_trailer(trailer.footer_offset, id, seed);
  if (std::memcmp(&trailer, &expected, sizeof trailer) != 0) return std::nullopt;
  return trailer.footer_offset;
}

LastsUntil lasts_until(std::int64_t expires_ms) noexcept {
  const std::int64_t seconds = expires_ms / 1000 + (expires_ms % 1000 > 0 ? 1 : 0);
  return static_cast<LastsUntil>(
      std::clamp<std::int64_t>(seconds, std::int64_t{k_lasts_unknown} + 1, std::int64_t{k_lasts_always}));
}

bool last_alike(LastsUntil a, LastsUntil b, std::int64_t now_ms) noexcept {
  if (a == k_lasts_always || b == k_lasts_always) return a == b;
  const auto seconds_left = [now_ms](LastsUntil until) {
    return std::max<std::int64_t>(1, std::int64_t{until} - now_ms / 1000);
  };
  constexpr std::int64_t k_factor = 4;
  const auto [less, more] = std::minmax({seconds_left(a), seconds_left(b)});
  return more <= k_factor * less;
}

bool SegmentEntry::lasts(std::int64_t now_ms) const noexcept {
  const LastsUntil until = lasts_until.load();
  return until == k_lasts_unknown || until == k_lasts_always || std::int64_t{until} * 1000 > now_ms;
}

// The moment and the tags.
std::uint64_t stamps_bytes(std::uint64_t tag_count) noexcept {
  return tag_count == 0 ? 0 : 8 + 8 * tag_count;
}

std::uint64_t chunk_count(std::uint64_t value_bytes) noexcept {
  return std::max<std::uint64_t>(1, value_bytes / k_chunk_bytes + (value_bytes % k_chunk_bytes != 0 ? 1 : 0));
}

Extent extent_of(std::uint64_t offset, std::uint64_t key_bytes, std::uint64_t type_bytes, std::uint64_t tag_count,
                 std::uint64_t value_bytes, std::uint8_t flags) noexcept {
  const bool leads = (flags & k_flag_table_trails) == 0;
  const std::uint64_t table_bytes = chunk_count(value_bytes) * 8;
  Extent extent;
  extent.body_bytes =
      fixed_body_bytes(flags) + key_bytes + type_bytes + stamps_bytes(tag_count) + (leads ? table_bytes : 0);
  const std::uint64_t body_end = offset + sizeof(RecordHeader) + extent.body_bytes;
  extent.value_offset =
      base::align_up(body_end, value_bytes >= k_page_aligned_bytes_min ? k_page_bytes : k_record_align);
  const std::uint64_t value_end = base::align_up(extent.value_offset + value_bytes, k_record_align);
  extent.table_offset = leads ? body_end - table_bytes : value_end;
  extent.end = leads ? value_end : base::align_up(value_end + table_bytes, k_record_align);
  return extent;
}

std::uint8_t flags_of(const RecordParts& parts) noexcept {
  const unsigned framed = parts.raw_bytes != 0 ? k_flag_framed : 0;
  const unsigned trails = parts.table == TablePlace::trails ? k_flag_table_trails : 0;
  const unsigned graced = parts.fresh_ms < parts.expires_ms ? k_flag_graced : 0;
  return static_cast<std::uint8_t>(framed | trails | graced);
}

std::vector<std::uint64_t> make_chunk_table(std::span<const Digest> chunks, std::uint64_t seed, std::uint64_t offset) {
  const std::uint64_t bound = record_seed(seed, offset);
  std::vector<std::uint64_t> table;
  table.reserve(chunks.size());
  for (const Digest& chunk : chunks) table.push_back(chunk_checksum(chunk, table.size(), bound));
  return table;
}

std::vector<std::byte> encode_head(const RecordParts& parts, std::uint64_t seed, std::uint64_t offset) {
  const std::uint8_t flags = flags_of(parts);
  const Extent extent =
      extent_of(offset, parts.key.size(), parts.type.size(), parts.tags.size(), parts.value_bytes, flags);
  const bool trails = parts.table == TablePlace::trails;
  std::vector<std::byte> head(extent.value_offset - offset);
  RecordHeader header{};
  header.magic = k_record_magic;
  header.kind = parts.kind;
  header.flags = flags;
  header.type_bytes = static_cast<std::uint8_t>(parts.type.size());
  header.tag_count = static_cast<std::uint8_t>(parts.tags.size());
  header.fingerprint = parts.fingerprint;
  header.sequence = parts.sequence;
  header.value_bytes = parts.value_bytes;
  header.expires_ms = parts.expires_ms;
  header.key_bytes = static_cast<std::uint32_t>(parts.key.size());
  header.body_bytes = static_cast<std::uint32_t>(extent.body_bytes);

  std::byte* out = head.data() + sizeof header;
  const auto append = [&out](const void* from, std::size_t length) {
    if (length != 0) std::memcpy(out, from, length);
    out += length;
  };
  append(&parts.cost_ns, sizeof parts.cost_ns);
  append(&parts.created_ms, sizeof parts.created_ms);
  if ((flags & k_flag_framed) != 0) append(&parts.raw_bytes, sizeof parts.raw_bytes);
  if ((flags & k_flag_graced) != 0) append(&parts.fresh_ms, sizeof parts.fresh_ms);
  append(parts.key.data(), parts.key.size());
  append(parts.type.data(), parts.type.size());
  if (!parts.tags.empty()) append(&parts.begun, sizeof parts.begun);
  append(parts.tags.data(), parts.tags.size_bytes());
  const std::uint64_t bound = record_seed(seed, offset);
  const std::vector<std::uint64_t> table = make_chunk_table(parts.chunks, seed, offset);
  const Bytes table_bytes = std::as_bytes(std::span(table));
  if (!trails) append(table_bytes.data(), table_bytes.size());

  std::memcpy(head.data(), &header, sizeof header);
  header.checksum = head_checksum(Bytes(head).first(sizeof header + extent.body_bytes),
                                  trails ? bound_to_table(bound, table_bytes) : bound);
  std::memcpy(head.data(), &header, sizeof header);
  return head;
}

bool RecordView::is_for(const Key& wanted) const noexcept {
  const Bytes canonical = wanted.canonical();
  return header.kind == Kind::value && header.fingerprint == wanted.fingerprint() && key.size() == canonical.size() &&
         std::memcmp(key.data(), canonical.data(), canonical.size()) == 0;
}

std::optional<RecordView> read_record(Bytes segment, std::uint64_t seed, std::uint64_t offset) noexcept {
  if (offset % k_record_align != 0 || offset < sizeof(SegmentHeader) || segment.size() < sizeof(RecordHeader) ||
      offset > segment.size() - sizeof(RecordHeader)) {
    return std::nullopt;
  }
  RecordView record;
  RecordHeader& header = record.header;
  header = load<RecordHeader>(segment, offset);
  constexpr std::uint8_t k_known = k_flag_framed | k_flag_table_trails | k_flag_graced;
  if (header.magic != k_record_magic || (header.flags & ~k_known) != 0) return std::nullopt;
  if (header.kind != Kind::value && header.kind != Kind::footer) return std::nullopt;
  if (header.key_bytes > k_key_bytes_max || (header.key_bytes == 0) != (header.kind == Kind::footer)) {
    return std::nullopt;
  }
  if (header.value_bytes > segment.size()) return std::nullopt;  // keeps the sums below from overflowing
  const bool trails = (header.flags & k_flag_table_trails) != 0;
  const Extent extent =
      extent_of(offset, header.key_bytes, header.type_bytes, header.tag_count, header.value_bytes, header.flags);
  if (extent.body_bytes != header.body_bytes || extent.end > segment.size()) return std::nullopt;
  const std::uint64_t bound = record_seed(seed, offset);
  record.chunk_table = segment.subspan(extent.table_offset, chunk_count(header.value_bytes) * 8);
  if (head_checksum(segment.subspan(offset, sizeof header + extent.body_bytes),
                    trails ? bound_to_table(bound, record.chunk_table) : bound) != header.checksum) {
    return std::nullopt;
  }

  const std::uint64_t body = offset + sizeof header;
  record.offset = offset;
  record.end = extent.end;
  record.seed = bound;
  record.cost_ns = load<std::uint64_t>(segment, body);
  record.created_ms = load<std::int64_t>(segment, body + 8);
  const bool framed = (header.flags & k_flag_framed) != 0;
  if (framed) record.raw_bytes = load<std::uint64_t>(segment, body + 16);
  if (framed && record.raw_bytes == 0) return std::nullopt;
  const bool graced = (header.flags & k_flag_graced) != 0;
  if (graced) record.fresh_ms = load<std::int64_t>(segment, body + (framed ? 24 : 16));
  if (graced && record.fresh_ms >= header.expires_ms) return std::nullopt;
  const std::uint64_t key = body + fixed_body_bytes(header.flags);
  record.key = segment.subspan(key, header.key_bytes);
  const Bytes type = segment.subspan(key + header.key_bytes, header.type_bytes);
  record.type = {reinterpret_cast<const char*>(type.data()), type.size()};
  record.stamps = segment.subspan(key + header.key_bytes + header.type_bytes, stamps_bytes(header.tag_count));
  record.value = segment.subspan(extent.value_offset, header.value_bytes);
  return record;
}

Stamps stamps_of(const RecordView& record) {
  Stamps stamps;
  if (record.stamps.empty()) return stamps;
  stamps.begun = load<std::uint64_t>(record.stamps, 0);
  for (std::uint64_t at = 8; at < record.stamps.size(); at += 8) stamps.tags.push_back(load<TagId>(record.stamps, at));
  return stamps;
}

Bytes chunk_of(Bytes value, std::uint64_t number) noexcept {
  const std::uint64_t start = number * k_chunk_bytes;
  return value.subspan(start, std::min<std::uint64_t>(k_chunk_bytes, value.size() - start));
}

FooterItem footer_item(const RecordView& record) noexcept {
  return {record.header.fingerprint,
          record.header.sequence,
          record.offset,
          record.header.expires_ms,
          static_cast<std::uint32_t>(record.header.kind),
          0};
}

bool valid_chunk(const RecordView& record, std::uint64_t number, Bytes chunk) noexcept {
  return chunk_checksum(base::hash128(chunk), number, record.seed) ==
         load<std::uint64_t>(record.chunk_table, number * 8);
}

bool valid_value(const RecordView& record, Bytes value) noexcept {
  for (std::uint64_t i = 0; i < record.chunk_table.size() / 8; ++i) {
    if (!valid_chunk(record, i, chunk_of(value, i))) return false;
  }
  return true;
}

std::vector<Digest> digest_chunks(std::span<const Bytes> pieces, std::uint64_t value_bytes) {
  std::vector<Digest> digests;
  digests.reserve(chunk_count(value_bytes));
  std::size_t piece = 0;
  std::uint64_t within = 0;
  for (std::uint64_t start = 0; start < value_bytes; start += k_chunk_bytes) {
    std::uint64_t rest = std::min(k_chunk_bytes, value_bytes - start);
    while (within == pieces[piece].size()) ++piece, within = 0;
    if (pieces[piece].size() - within >= rest) {
      digests.push_back(base::hash128(pieces[piece].subspan(within, rest)));
      within += rest;
      continue;
    }
    DigestStream stream;
    while (rest > 0) {
      while (within == pieces[piece].size()) ++piece, within = 0;
      const Bytes part = pieces[piece].subspan(within, std::min<std::uint64_t>(rest, pieces[piece].size() - within));
      stream.update(part);
      within += part.size();
      rest -= part.size();
    }
    digests.push_back(stream.value());
  }
  if (value_bytes == 0) digests.push_back(base::hash128({}));
  return digests;
}

std::optional<std::vector<FooterItem>> read_footer(Bytes file, std::uint64_t id, std::uint64_t seed) {
  const std::optional<std::uint64_t> offset = read_trailer(file, id, seed);
  if (!offset) return std::nullopt;
  const std::optional<RecordView> footer = read_record(file, seed, *offset);
  if (!footer || footer->header.kind != Kind::footer || footer->value.size() % sizeof(FooterItem) != 0 ||
      !valid_value(*footer, footer->value)) {
    return std::nullopt;
  }
  std::vector<FooterItem> items(footer->value.size() / sizeof(FooterItem));
  if (!items.empty()) std::memcpy(items.data(), footer->value.data(), footer->value.size());
  const bool inside = std::ranges::all_of(items, [&](const FooterItem& item) {
    return item.offset >= sizeof(SegmentHeader) && item.offset < *offset && item.offset % k_record_align == 0;
  });
  if (!inside) return std::nullopt;
  return items;
}

std::uint64_t control_checksum(const ControlPage& page) noexcept {
  return base::hash64(Bytes(reinterpret_cast<const std::byte*>(&page), offsetof(ControlPage, checksum)),
                      k_seed_control);
}

TablePage make_table_page(std::uint64_t magic, const Uuid& uuid) noexcept {
  TablePage page{};
  page.magic = magic;
  page.uuid = uuid;
  page.checksum = base::hash64(bytes_of(page, offsetof(TablePage, checksum)), k_seed_table);
  return page;
}

bool valid_table_page(Bytes file, std::uint64_t magic, const Uuid& uuid) noexcept {
  const TablePage expected = make_table_page(magic, uuid);
  return file.size() >= sizeof expected && std::memcmp(file.data(), &expected, sizeof expected) == 0;
}

JournalPage make_journal_page(const Uuid& uuid, std::uint64_t number) noexcept {
  JournalPage page{};
  page.magic = k_journal_magic;
  page.uuid = uuid;
  page.number = number;
  page.checksum = base::hash64(bytes_of(page, offsetof(JournalPage, checksum)), k_seed_journal);
  return page;
}

std::uint64_t journal_seed(const Uuid& uuid, std::uint64_t number) noexcept {
  return base::hash64(bytes_of(make_journal_page(uuid, number)), k_seed_journal_entry);
}

JournalEntry make_journal_entry(JournalKind kind, std::uint64_t subject, std::uint64_t until, std::uint64_t seed,
                                std::uint64_t place) noexcept {
  JournalEntry entry{};
  entry.subject = subject;
  entry.until = until;
  entry.kind = kind;
  entry.checksum = base::hash64(bytes_of(entry, offsetof(JournalEntry, checksum)), seed ^ place);
  return entry;
}

JournalPlace check_journal_entry(const JournalEntry& entry, std::uint64_t seed, std::uint64_t place) noexcept {
  constexpr JournalEntry k_empty{};
  if (std::memcmp(&entry, &k_empty, sizeof entry) == 0) return JournalPlace::empty;
  const JournalEntry expected = make_journal_entry(entry.kind, entry.subject, entry.until, seed, place);
  const bool known = entry.kind >= JournalKind::key && entry.kind <= JournalKind::segment;
  return known && std::memcmp(&entry, &expected, sizeof entry) == 0 ? JournalPlace::entry : JournalPlace::damaged;
}

Geometry Geometry::for_limit(std::uint64_t limit) noexcept {
  constexpr std::uint64_t k_bytes_per_journal_entry = 32 * 1024;
  constexpr std::uint64_t k_journal_entries_min = 2048;
  constexpr std::uint64_t k_journal_entries_max = std::uint64_t{1} << 32;
  constexpr std::uint64_t k_bytes_per_generation = 4 * 1024;
  constexpr std::uint64_t k_generations_min = 4096;
  constexpr std::uint64_t k_generations_max = 262144;
  Geometry geometry;
  geometry.segment_bytes =
      std::clamp(std::bit_floor(std::max<std::uint64_t>(limit / 16, 1)), k_segment_bytes_min, k_segment_bytes_max);
  geometry.segment_slots = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(2 * (limit / geometry.single_bytes_min()), k_segment_slots_min, k_segment_slots_max));
  geometry.index_buckets_log2 = IndexShape::made(1, 0, limit).log2;
  geometry.journal_log2 = static_cast<std::uint32_t>(std::countr_zero(
      std::bit_ceil(std::clamp(limit / k_bytes_per_journal_entry, k_journal_entries_min, k_journal_entries_max))));
  geometry.gen_log2 = static_cast<std::uint32_t>(
      std::bit_width(std::clamp(limit / k_bytes_per_generation, k_generations_min, k_generations_max)) - 1);
  return geometry;
}

bool Geometry::plausible() const noexcept {
  return std::has_single_bit(segment_bytes) && segment_bytes >= k_segment_bytes_min &&
         segment_bytes <= k_segment_bytes_max && segment_slots >= 1 && segment_slots <= k_segment_slots_max &&
         index_buckets_log2 <= 32 && gen_log2 >= 1 && gen_log2 <= 32 && journal_log2 <= 32;
}

IndexShape IndexShape::made(std::uint64_t number, std::uint64_t entries, std::uint64_t limit) noexcept {
  constexpr std::uint64_t k_bytes_per_bucket = 256 * 1024;
  constexpr std::uint64_t k_entries_per_bucket = 6;
  constexpr std::uint64_t k_buckets_min = 1024;
  constexpr std::uint64_t k_buckets_max = std::uint64_t{1} << 32;
  const auto log2_of = [&](std::uint64_t buckets) {
    return static_cast<std::uint32_t>(std::bit_width(std::clamp(buckets, k_buckets_min, k_buckets_max)) - 1);
  };
  IndexShape shape;
  shape.number = number;
  shape.max_log2 = log2_of(limit / k_index_part_max / 64);
  shape.log2 = std::min(shape.max_log2,
                        log2_of(std::bit_ceil(std::max(limit / k_bytes_per_bucket, entries / k_entries_per_bucket))));
  shape.first_log2 = shape.log2;
  shape.max_log2 = std::min(shape.max_log2, shape.log2 + k_levels_max - 1);
  return shape;
}

std::uint64_t Geometry::single_bytes_min() const noexcept {
  return std::min<std::uint64_t>(std::uint64_t{4} << 20, segment_bytes / 4);
}

std::string segment_name(std::uint64_t id) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%016llx.seg", static_cast<unsigned long long>(id));
  return text.data();
}

std::optional<std::uint64_t> segment_id_of(std::string_view name) noexcept {
  if (name.size() != 20 || !name.ends_with(".seg")) return std::nullopt;
  std::uint64_t id = 0;
  for (const char c : name.substr(0, 16)) {
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return std::nullopt;
    id = id << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return id;
}

}  // namespace larder::store
