// The bytes of a store: every structure, offset, checksum and permanent number of the format page
// (docs/internals/store-format.md), and nothing that touches a file.
//
// Bytes come from a disk and are not believed: everything here that reads checks each length before it
// uses it. Pure functions; any thread.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <larder/codec.hpp>
#include <larder/digest.hpp>
#include <larder/key.hpp>

#include "store/tags.hpp"

namespace larder::store {

static_assert(std::endian::native == std::endian::little, "the store's files are little-endian");
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free,
              "atomics in shared mappings");

inline constexpr std::uint64_t k_record_align = 64;
inline constexpr std::uint64_t k_page_bytes = 4096;
inline constexpr std::uint64_t k_page_aligned_bytes_min = 64 * 1024;  // values from here on start on a page
inline constexpr std::uint64_t k_chunk_bytes = std::uint64_t{1} << 20;
inline constexpr std::uint64_t k_segment_bytes_min = std::uint64_t{1} << 20;
inline constexpr std::uint64_t k_segment_bytes_max = std::uint64_t{64} << 20;
inline constexpr std::uint32_t k_segment_slots_min = 1024;
inline constexpr std::uint32_t k_segment_slots_max = 1U << 20;
inline constexpr std::size_t k_type_bytes_max = 255;

using Uuid = std::array<std::byte, 16>;

// --- segments ---

inline constexpr std::uint64_t k_segment_magic = 0x315372656472616cULL;  // "larderS1"
inline constexpr std::uint64_t k_trailer_magic = 0x314672656472616cULL;  // "larderF1"
inline constexpr std::uint32_t k_record_magic = 0x3152444c;              // "LDR1"

struct SegmentHeader {
  std::uint64_t magic;
  std::uint64_t id;
  Uuid uuid;
  std::uint64_t checksum;
  std::array<std::byte, 24> zero;
};
static_assert(sizeof(SegmentHeader) == 64);

struct Trailer {
  std::uint64_t magic;
  std::uint64_t footer_offset;
  std::uint64_t segment_id;
  std::uint64_t checksum;
  std::array<std::byte, 32> zero;
};
static_assert(sizeof(Trailer) == 64);

enum class Kind : std::uint8_t { value = 1, footer = 3 };

// Bits of RecordHeader::flags.
inline constexpr std::uint8_t k_flag_framed = 1;        // its value is a compressed frame
inline constexpr std::uint8_t k_flag_table_trails = 2;  // the chunk table stands behind the value
inline constexpr std::uint8_t k_flag_graced = 4;        // it is stale for a while before it expires

struct RecordHeader {
  std::uint32_t magic;
  Kind kind;
  std::uint8_t flags;
  std::uint8_t type_bytes;
  std::uint8_t tag_count;
  std::uint64_t checksum;
  Digest fingerprint;
  std::uint64_t sequence;
  std::uint64_t value_bytes;
  std::int64_t expires_ms;
  std::uint32_t key_bytes;
  std::uint32_t body_bytes;
};
static_assert(sizeof(RecordHeader) == 64 && offsetof(RecordHeader, checksum) == 8 &&
              offsetof(RecordHeader, fingerprint) == 16 && offsetof(RecordHeader, body_bytes) == 60);
static_assert(sizeof(Digest) == 16);

struct FooterItem {
  Digest fingerprint;
  std::uint64_t sequence;
  std::uint64_t offset;
  std::int64_t expires_ms;
  std::uint32_t kind;
  std::uint32_t zero;
};
static_assert(sizeof(FooterItem) == 48);

// Binds checksums to one segment of one store.
[[nodiscard]] std::uint64_t segment_seed(const Uuid& uuid, std::uint64_t id) noexcept;

[[nodiscard]] SegmentHeader make_segment_header(const Uuid& uuid, std::uint64_t id) noexcept;
[[nodiscard]] bool valid_segment_header(Bytes file, const Uuid& uuid, std::uint64_t id) noexcept;
[[nodiscard]] Trailer make_trailer(std::uint64_t footer_offset, std::uint64_t id, std::uint64_t seed) noexcept;
// The footer's offset, from a sealed segment's whole file.
[[nodiscard]] std::optional<std::uint64_t> read_trailer(Bytes file, std::uint64_t id, std::uint64_t seed) noexcept;

// --- records ---

// Where a record's chunk table stands. Behind the value if its length was not known when its first byte was written.
enum class TablePlace : std::uint8_t { leads, trails };

// What a record says, apart from its value's bytes.
struct RecordParts {
  Kind kind = Kind::value;
  TablePlace table = TablePlace::leads;
  Digest fingerprint;
  std::uint64_t sequence = 0;
  std::int64_t expires_ms = INT64_MAX;
  std::int64_t fresh_ms = INT64_MAX;  // as in Meta; kept only if that is earlier than it expires
  std::uint64_t cost_ns = 0;
  std::int64_t created_ms = 0;
  std::uint64_t raw_bytes = 0;  // as in Meta; kept only of frames
  Bytes key;
  std::string_view type;
  std::uint64_t begun = 0;  // as in Stamps; kept only beside tags
  std::span<const TagId> tags;
  std::uint64_t value_bytes = 0;
  std::span<const Digest> chunks;  // digests of the value's chunks
};

// Where the parts of a record lie.
struct Extent {
  std::uint64_t body_bytes = 0;
  std::uint64_t value_offset = 0;
  std::uint64_t table_offset = 0;
  std::uint64_t end = 0;  // a multiple of 64
};
[[nodiscard]] std::uint64_t chunk_count(std::uint64_t value_bytes) noexcept;
[[nodiscard]] Extent extent_of(std::uint64_t offset, std::uint64_t key_bytes, std::uint64_t type_bytes,
                               std::uint64_t tag_count, std::uint64_t value_bytes, std::uint8_t flags = 0) noexcept;
// The flags of a record that says so.
[[nodiscard]] std::uint8_t flags_of(const RecordParts& parts) noexcept;

// The chunk checksums of a record at `offset`, as they are written.
[[nodiscard]] std::vector<std::uint64_t> make_chunk_table(std::span<const Digest> chunks, std::uint64_t seed,
                                                          std::uint64_t offset);
// The bytes from the record's header to its value's start.
[[nodiscard]] std::vector<std::byte> encode_head(const RecordParts& parts, std::uint64_t seed, std::uint64_t offset);

// A valid record in the bytes of its segment, and where they are.
struct RecordView {
  RecordHeader header{};
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  std::uint64_t cost_ns = 0;
  std::int64_t created_ms = 0;
  std::uint64_t raw_bytes = 0;        // as in Meta
  std::int64_t fresh_ms = INT64_MAX;  // as in Meta
  Bytes key;
  std::string_view type;
  Bytes stamps;  // see stamps_of()
  Bytes chunk_table;
  Bytes value;
  std::uint64_t seed = 0;  // of the value's checksums

  [[nodiscard]] bool is_for(const Key& wanted) const noexcept;
};
// The record at `offset` of a segment's bytes up to `committed`, if it is valid; its value is not read.
[[nodiscard]] std::optional<RecordView> read_record(Bytes segment, std::uint64_t seed, std::uint64_t offset) noexcept;

[[nodiscard]] Stamps stamps_of(const RecordView& record);
[[nodiscard]] FooterItem footer_item(const RecordView& record) noexcept;

// Whether chunk `number` of the record's value, whose bytes are given, is what was written.
[[nodiscard]] bool valid_chunk(const RecordView& record, std::uint64_t number, Bytes chunk) noexcept;
// The same for all of `value`, which are the record's value or a copy of it.
[[nodiscard]] bool valid_value(const RecordView& record, Bytes value) noexcept;
// The bytes of chunk `number`.
[[nodiscard]] Bytes chunk_of(Bytes value, std::uint64_t number) noexcept;
// The digests of the chunks of a value given in pieces.
[[nodiscard]] std::vector<Digest> digest_chunks(std::span<const Bytes> pieces, std::uint64_t value_bytes);

// The valid records from the first one on, footers included, up to the first invalid one; returns where
// that is. `read(offset)` is the record there, if it is valid. `visit` is called with a const RecordView&.
template <class Read, class Visit>
std::uint64_t walk_records(const Read& read, Visit&& visit) {
  std::uint64_t offset = sizeof(SegmentHeader);
  while (const std::optional<RecordView> record = read(offset)) {
    visit(*record);
    offset = record->end;
  }
  return offset;
}
template <class Visit>
std::uint64_t walk_records(Bytes segment, std::uint64_t seed, Visit&& visit) {
  return walk_records([&](std::uint64_t offset) { return read_record(segment, seed, offset); },
                      std::forward<Visit>(visit));
}

// The items of a sealed segment's footer, from its whole file; nothing if it has no valid one.
[[nodiscard]] std::optional<std::vector<FooterItem>> read_footer(Bytes file, std::uint64_t id, std::uint64_t seed);

// --- slots of the index ---

inline constexpr std::uint64_t k_slot_verified = 1;  // the value counts as whole since the machine started
inline constexpr std::uint64_t k_slot_pending = 2;   // not yet published: readers see nothing here
inline constexpr std::uint64_t k_slot_hit = 4;       // a lookup that was answered with the record; up to three count
inline constexpr std::uint64_t k_slot_hits = 3 * k_slot_hit;
// What may change in a slot that goes on leading to the same record.
inline constexpr std::uint64_t k_slot_remarks = k_slot_verified | k_slot_hits;

[[nodiscard]] constexpr std::uint64_t slot_hits(std::uint64_t word) noexcept {
  return (word & k_slot_hits) / k_slot_hit;
}
// The word with half as many hits.
[[nodiscard]] constexpr std::uint64_t halve_hits(std::uint64_t word) noexcept {
  return (word & ~k_slot_hits) | slot_hits(word) / 2 * k_slot_hit;
}

struct Location {
  std::uint32_t segment = 0;  // segment slot
  std::uint64_t offset = 0;   // in it
};
[[nodiscard]] constexpr std::uint16_t slot_fold(std::uint64_t word) noexcept {
  const std::uint64_t location = (word >> 8) & ((std::uint64_t{1} << 40) - 1);
  return static_cast<std::uint16_t>(location ^ (location >> 16) ^ (location >> 32));
}
[[nodiscard]] constexpr std::uint16_t fingerprint_tag(const Digest& fingerprint) noexcept {
  return static_cast<std::uint16_t>(fingerprint.low >> 48);
}
// REQUIRES: segment < 2^20; offset a multiple of 64 below 64 MiB. Never 0, the word of an empty slot: no
// record starts at offset 0.
[[nodiscard]] constexpr std::uint64_t pack_slot(const Digest& fingerprint, Location at) noexcept {
  const std::uint64_t word = (std::uint64_t{at.segment} << 28) | ((at.offset / k_record_align) << 8);
  return word |
         (static_cast<std::uint64_t>(static_cast<std::uint16_t>(fingerprint_tag(fingerprint) ^ slot_fold(word))) << 48);
}
// That of the fingerprint it was packed with.
[[nodiscard]] constexpr std::uint16_t slot_tag(std::uint64_t word) noexcept {
  return static_cast<std::uint16_t>((word >> 48) ^ slot_fold(word));
}
[[nodiscard]] constexpr bool slot_matches(std::uint64_t word, const Digest& fingerprint) noexcept {
  return word != 0 && slot_tag(word) == fingerprint_tag(fingerprint);
}
[[nodiscard]] constexpr Location slot_location(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>((word >> 28) & 0xfffff), ((word >> 8) & 0xfffff) * k_record_align};
}

// The index in force, in one word of control. It grows by doubling, in place; a key may be where it was put when the
// index was smaller, so there is a bound to how often it does.
struct IndexShape {
  std::uint64_t number = 0;      // of its file, below 2^40
  std::uint32_t first_log2 = 0;  // buckets when it was made
  std::uint32_t log2 = 0;        // buckets now
  std::uint32_t max_log2 = 0;    // buckets for which addresses are set aside

  static constexpr std::uint32_t k_levels_max = 8;  // sizes that an index can have, one after the other

  [[nodiscard]] static constexpr IndexShape of(std::uint64_t word) noexcept {
    return {word >> 24, static_cast<std::uint32_t>(word >> 16 & 0xff), static_cast<std::uint32_t>(word >> 8 & 0xff),
            static_cast<std::uint32_t>(word & 0xff)};
  }
  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return number << 24 | std::uint64_t{first_log2} << 16 | std::uint64_t{log2} << 8 | max_log2;
  }
  // A new index for at least so many entries, in a store of that limit.
  static IndexShape made(std::uint64_t number, std::uint64_t entries, std::uint64_t limit) noexcept;
  [[nodiscard]] bool plausible() const noexcept {
    return first_log2 <= log2 && log2 <= max_log2 && max_log2 < first_log2 + k_levels_max && max_log2 <= 32;
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return std::uint64_t{64} << log2; }
  [[nodiscard]] std::uint64_t bytes_max() const noexcept { return std::uint64_t{64} << max_log2; }
};

// --- what the processes share ---

inline constexpr std::uint64_t k_control_magic = 0x314372656472616cULL;  // "larderC1"
inline constexpr std::uint64_t k_gen_magic = 0x314772656472616cULL;      // "larderG1"
inline constexpr std::uint64_t k_stats_magic = 0x315472656472616cULL;    // "larderT1"
inline constexpr std::uint64_t k_waits_magic = 0x315772656472616cULL;    // "larderW1"
inline constexpr std::uint32_t k_format = 1;

struct ControlPage {
  std::uint64_t magic;
  std::uint32_t format;
  std::uint32_t features;
  Uuid uuid;
  std::uint64_t segment_bytes;
  std::uint32_t segment_slots;
  std::uint32_t index_buckets_log2;
  std::uint32_t gen_log2;
  std::uint32_t journal_log2;
  std::uint64_t checksum;
  alignas(64) Uuid boot_id;
  alignas(64) std::atomic<std::uint64_t> sequence;
  alignas(64) std::atomic<std::uint64_t> next_segment_id;
  alignas(64) std::atomic<std::uint64_t> index;  // IndexShape
  alignas(64) std::atomic<std::uint64_t> retired;
  alignas(64) std::atomic<std::uint64_t> limit;
  alignas(64) std::atomic<std::uint64_t> floor;
  std::atomic<std::uint64_t> floor_inverse;
  alignas(64) std::atomic<std::uint64_t> making;
  alignas(64) std::atomic<std::uint64_t> forgotten;
  std::atomic<std::uint64_t> clearing;
  alignas(64) std::atomic<std::uint64_t> cramped;
  alignas(64) std::atomic<std::uint64_t> journal_number;
  std::atomic<std::uint64_t> journal_used;
  std::atomic<std::uint64_t> journal_count;
  std::atomic<std::uint64_t> journal_cleared;
  std::atomic<std::uint64_t> journal_synced;
  std::atomic<std::uint64_t> journal_owed;
  alignas(64) std::atomic<std::uint64_t> moved;
};
static_assert(offsetof(ControlPage, gen_log2) == 48 && offsetof(ControlPage, journal_log2) == 52 &&
              offsetof(ControlPage, checksum) == 56 && offsetof(ControlPage, boot_id) == 64 &&
              offsetof(ControlPage, sequence) == 128 && offsetof(ControlPage, next_segment_id) == 192 &&
              offsetof(ControlPage, index) == 256 && offsetof(ControlPage, retired) == 320 &&
              offsetof(ControlPage, limit) == 384 && offsetof(ControlPage, floor) == 448 &&
              offsetof(ControlPage, floor_inverse) == 456 && offsetof(ControlPage, making) == 512 &&
              offsetof(ControlPage, forgotten) == 576 && offsetof(ControlPage, clearing) == 584 &&
              offsetof(ControlPage, cramped) == 640 && offsetof(ControlPage, journal_number) == 704 &&
              offsetof(ControlPage, journal_used) == 712 && offsetof(ControlPage, journal_count) == 720 &&
              offsetof(ControlPage, journal_cleared) == 728 && offsetof(ControlPage, journal_synced) == 736 &&
              offsetof(ControlPage, journal_owed) == 744 && offsetof(ControlPage, moved) == 768 &&
              sizeof(ControlPage) <= k_page_bytes);

enum class SegmentState : std::uint32_t { free = 0, open = 1, sealed = 2, retired = 3, cleared = 4 };
// Whether its records are found.
[[nodiscard]] constexpr bool alive(SegmentState state) noexcept {
  return state == SegmentState::open || state == SegmentState::sealed;
}
enum class SegmentKind : std::uint32_t { shared = 0, single = 1 };

// When a record is over, or the last record of a segment, in whole seconds since 1970, rounded up.
using LastsUntil = std::uint32_t;
inline constexpr LastsUntil k_lasts_unknown = 0;          // there is none yet
inline constexpr LastsUntil k_lasts_always = UINT32_MAX;  // it never is
[[nodiscard]] LastsUntil lasts_until(std::int64_t expires_ms) noexcept;
// Whether two that were written at that time are over at about the same time.
[[nodiscard]] bool last_alike(LastsUntil a, LastsUntil b, std::int64_t now_ms) noexcept;

struct alignas(64) SegmentEntry {
  std::atomic<std::uint64_t> id;
  std::atomic<SegmentState> state;
  std::atomic<SegmentKind> kind;
  std::atomic<std::uint64_t> committed;
  std::atomic<std::uint64_t> reserved;
  std::atomic<std::uint64_t> last_sequence;
  std::atomic<std::uint32_t> records;
  std::atomic<LastsUntil> lasts_until;
  std::atomic<std::uint64_t> publishing;
  std::atomic<std::uint64_t> publishing_at;

  // Whether a record of it may not be over. True if that is not known.
  [[nodiscard]] bool lasts(std::int64_t now_ms) const noexcept;
};
static_assert(sizeof(SegmentEntry) == 64 && offsetof(SegmentEntry, state) == 8 && offsetof(SegmentEntry, kind) == 12 &&
              offsetof(SegmentEntry, committed) == 16 && offsetof(SegmentEntry, reserved) == 24 &&
              offsetof(SegmentEntry, last_sequence) == 32 && offsetof(SegmentEntry, records) == 40 &&
              offsetof(SegmentEntry, lasts_until) == 44 && offsetof(SegmentEntry, publishing) == 48 &&
              offsetof(SegmentEntry, publishing_at) == 56);
// A key in one word that is not 0, where to take another key for it costs only time: SegmentEntry::publishing while a
// record of the key is on its way into the segment, and the journal.
[[nodiscard]] constexpr std::uint64_t key_mark(const Digest& fingerprint) noexcept {
  return fingerprint.low | 1;
}

// The first bytes of `gen` and `stats`.
struct TablePage {
  std::uint64_t magic;
  Uuid uuid;
  std::uint64_t checksum;
};
static_assert(sizeof(TablePage) == 32);

// --- the journal ---

inline constexpr std::uint64_t k_journal_magic = 0x314a72656472616cULL;  // "larderJ1"

// The first bytes of `journal.<n>`; entries begin at k_page_bytes.
struct JournalPage {
  std::uint64_t magic;
  Uuid uuid;
  std::uint64_t number;
  std::uint64_t checksum;
};
static_assert(sizeof(JournalPage) == 40);

enum class JournalKind : std::uint32_t {
  key = 1,      // records of the key (key_mark) `subject` of up to the sequence `until` are gone
  tag = 2,      // the tag `subject` was invalidated at the moment `until`
  all = 3,      // all records of up to the sequence `until` are gone
  record = 4,   // the record in the segment of id `subject` at the offset `until` is gone
  segment = 5,  // all records in the segment of id `subject` are gone; `until` is 0
};

// Whether entries of the kind say where the records lie that they hide, and not how old these are.
[[nodiscard]] constexpr bool by_place(JournalKind kind) noexcept {
  return kind == JournalKind::record || kind == JournalKind::segment;
}

struct JournalEntry {
  std::uint64_t subject;
  std::uint64_t until;
  JournalKind kind;
  std::uint32_t zero;
  std::uint64_t checksum;
};
static_assert(sizeof(JournalEntry) == 32);

[[nodiscard]] JournalPage make_journal_page(const Uuid& uuid, std::uint64_t number) noexcept;
// Binds the checksums of entries to one file of one store.
[[nodiscard]] std::uint64_t journal_seed(const Uuid& uuid, std::uint64_t number) noexcept;
// Entry number `place` of its file.
[[nodiscard]] JournalEntry make_journal_entry(JournalKind kind, std::uint64_t subject, std::uint64_t until,
                                              std::uint64_t seed, std::uint64_t place) noexcept;
enum class JournalPlace : std::uint8_t { entry, empty, damaged };
[[nodiscard]] JournalPlace check_journal_entry(const JournalEntry& entry, std::uint64_t seed,
                                               std::uint64_t place) noexcept;

inline constexpr std::uint64_t k_gen_clear_offset = 64;
inline constexpr std::uint64_t k_gen_tags_offset = k_page_bytes;
inline constexpr std::uint64_t k_stats_bytes = k_page_bytes;
inline constexpr std::size_t k_waits_places = 1024;
inline constexpr std::uint64_t k_waits_bytes = k_page_bytes + k_waits_places * 16;
inline constexpr std::uint64_t k_stats_counters_max = (k_stats_bytes - 64) / 8;

[[nodiscard]] std::uint64_t control_checksum(const ControlPage& page) noexcept;
[[nodiscard]] TablePage make_table_page(std::uint64_t magic, const Uuid& uuid) noexcept;
[[nodiscard]] bool valid_table_page(Bytes file, std::uint64_t magic, const Uuid& uuid) noexcept;

// The sizes that are fixed when a store is made.
struct Geometry {
  std::uint64_t segment_bytes = 0;
  std::uint32_t segment_slots = 0;
  std::uint32_t index_buckets_log2 = 0;  // of the first index
  std::uint32_t gen_log2 = 0;            // so many generations of keys, and as many of tags
  std::uint32_t journal_log2 = 0;        // entries

  static Geometry for_limit(std::uint64_t limit) noexcept;
  [[nodiscard]] bool plausible() const noexcept;
  [[nodiscard]] std::uint64_t control_bytes() const noexcept {
    return k_page_bytes + std::uint64_t{segment_slots} * sizeof(SegmentEntry);
  }
  [[nodiscard]] std::size_t generations() const noexcept { return std::size_t{1} << gen_log2; }
  [[nodiscard]] std::uint64_t gen_keys_offset() const noexcept { return k_gen_tags_offset + generations() * 8; }
  [[nodiscard]] std::uint64_t gen_bytes() const noexcept { return gen_keys_offset() + generations() * 4; }
  // How many entries a journal has room for.
  [[nodiscard]] std::uint64_t journal_entries() const noexcept { return std::uint64_t{1} << journal_log2; }
  [[nodiscard]] std::uint64_t journal_bytes() const noexcept {
    return k_page_bytes + journal_entries() * sizeof(JournalEntry);
  }
  // What the files that are neither segments nor the index take.
  [[nodiscard]] std::uint64_t fixed_bytes() const noexcept {
    return journal_bytes() + control_bytes() + gen_bytes() + k_stats_bytes + k_waits_bytes;
  }
  [[nodiscard]] std::uint64_t smallest_limit() const noexcept {
    return fixed_bytes() + (std::uint64_t{64} << index_buckets_log2) + 2 * segment_bytes;
  }
  // Records from this size on get a segment of their own.
  [[nodiscard]] std::uint64_t single_bytes_min() const noexcept;
};

// `seg/<id>.seg` and back.
[[nodiscard]] std::string segment_name(std::uint64_t id);
[[nodiscard]] std::optional<std::uint64_t> segment_id_of(std::string_view name) noexcept;

}  // namespace larder::store
