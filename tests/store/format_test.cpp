// The bytes of a record, pinned: a change here is another format. And: no bytes are believed unchecked.
#include "store/format.hpp"

#include <gtest/gtest.h>

#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

Uuid some_uuid() {
  Uuid uuid{};
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::byte>(i);
  return uuid;
}

// A segment with the record of the format page's example: the value "hello" under Key{"k"}, without tags.
std::string example_segment(const Stamps& stamps = {}, std::uint64_t raw_bytes = 0,
                            TablePlace table = TablePlace::leads, std::int64_t fresh_ms = INT64_MAX) {
  const Key key{"k"};
  const std::string_view value = "hello";
  const Bytes bytes = std::as_bytes(std::span(value));
  const std::vector<Digest> chunks = digest_chunks(std::span(&bytes, 1), value.size());
  RecordParts parts;
  parts.table = table;
  parts.fingerprint = key.fingerprint();
  parts.sequence = std::uint64_t{1} << 40;
  parts.cost_ns = 1'500'000'000;
  parts.created_ms = 1'700'000'000'000;
  parts.fresh_ms = fresh_ms;
  parts.key = key.canonical();
  parts.type = "text";
  parts.begun = stamps.begun;
  parts.tags = stamps.tags;
  parts.raw_bytes = raw_bytes;
  parts.value_bytes = value.size();
  parts.chunks = chunks;
  const SegmentHeader header = make_segment_header(some_uuid(), 7);
  const std::vector<std::byte> head = encode_head(parts, segment_seed(some_uuid(), 7), sizeof header);
  std::string segment(reinterpret_cast<const char*>(&header), sizeof header);
  segment.append(reinterpret_cast<const char*>(head.data()), head.size());
  segment.append(value);
  segment.resize((segment.size() + 63) / 64 * 64);
  if (table == TablePlace::trails) {
    for (const std::uint64_t checksum : make_chunk_table(chunks, segment_seed(some_uuid(), 7), sizeof header)) {
      segment.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
    }
    segment.resize((segment.size() + 63) / 64 * 64);
  }
  return segment;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += digits;
  }
  return text;
}

std::optional<RecordView> read(const std::string& segment, std::uint64_t offset = 64) {
  return read_record(std::as_bytes(std::span(segment)), segment_seed(some_uuid(), 7), offset);
}

TEST(Format, TheBytesOfARecordAreTheOnesOfThePage) {
  const std::string segment = example_segment();
  ASSERT_EQ(segment.size(), 256u);
  EXPECT_EQ(hex(segment),
            "6c617264657253310700000000000000000102030405060708090a0b0c0d0e0f"
            "efe36c5eb1787bc9000000000000000000000000000000000000000000000000"
            "4c44523101000400f5c26794dba851c0aab42d696478c66665ef6b606984f464"
            "00000000000100000500000000000000ffffffffffffff7f0500000021000000"
            "002f6859000000000068e5cf8b01000001016b0000746578747ef5b74937f1e5"
            "c700000000000000000000000000000000000000000000000000000000000000"
            "68656c6c6f000000000000000000000000000000000000000000000000000000"
            "0000000000000000000000000000000000000000000000000000000000000000");
}

TEST(Format, ARecordReadsBackAsItWasWritten) {
  const std::string segment = example_segment();
  const std::optional<RecordView> record = read(segment);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->is_for(Key{"k"}));
  EXPECT_FALSE(record->is_for(Key{"l"}));
  EXPECT_EQ(record->type, "text");
  EXPECT_EQ(record->cost_ns, 1'500'000'000u);
  EXPECT_EQ(record->created_ms, 1'700'000'000'000);
  EXPECT_EQ(Process::text(record->value), "hello");
  EXPECT_TRUE(valid_value(*record, record->value));
  EXPECT_EQ(record->end, segment.size());
  EXPECT_TRUE(stamps_of(*record).tags.empty());
}

TEST(Format, TheBytesOfARecordWhoseChecksumsTrailAreTheOnesOfThePage) {
  const std::string segment = example_segment({}, 0, TablePlace::trails);
  ASSERT_EQ(segment.size(), 320u);
  EXPECT_EQ(hex(segment.substr(64, 16)), "4c445231010204008459f7d4409d92e2");
  EXPECT_EQ(hex(segment.substr(120, 8)), "0500000019000000");
  EXPECT_EQ(hex(segment.substr(256, 16)), "7ef5b74937f1e5c70000000000000000");
  const std::optional<RecordView> record = read(segment);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->is_for(Key{"k"}));
  EXPECT_EQ(record->type, "text");
  EXPECT_EQ(Process::text(record->value), "hello");
  EXPECT_TRUE(valid_value(*record, record->value));
  EXPECT_EQ(record->end, segment.size());
}

TEST(Format, AnyFlippedBitOfAChecksumThatTrailsIsFoundWithTheHead) {
  const std::string whole = example_segment({}, 0, TablePlace::trails);
  for (std::size_t bit = 256 * 8; bit < 264 * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(read(damaged)) << "bit " << bit;
  }
  EXPECT_FALSE(read(whole.substr(0, 256)));
}

TEST(Format, TheStampsOfARecordReadBackAsTheyWereWritten) {
  const Stamps many{77, std::vector<TagId>(k_tags_max, 5)};
  for (const Stamps& stamps : {Stamps{1, {2}}, Stamps{UINT64_MAX, {tag_id("a"), tag_id("b")}}, many}) {
    const std::string segment = example_segment(stamps);
    const std::optional<RecordView> record = read(segment);
    ASSERT_TRUE(record);
    EXPECT_EQ(stamps_of(*record).begun, stamps.begun);
    EXPECT_EQ(stamps_of(*record).tags, stamps.tags);
    EXPECT_EQ(Process::text(record->value), "hello");
    EXPECT_TRUE(valid_value(*record, record->value));
  }
}

TEST(Format, WhatIsInTheFrameOfARecordReadsBackAsItWasWritten) {
  for (const Stamps& stamps : {Stamps{}, Stamps{1, {2, 3}}}) {
    for (const std::uint64_t raw_bytes : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
      const std::string segment = example_segment(stamps, raw_bytes);
      const std::optional<RecordView> record = read(segment);
      ASSERT_TRUE(record);
      EXPECT_EQ(record->header.flags, raw_bytes == 0 ? 0 : 1);
      EXPECT_EQ(record->raw_bytes, raw_bytes);
      EXPECT_EQ(record->type, "text");
      EXPECT_EQ(stamps_of(*record).tags, stamps.tags);
      EXPECT_EQ(Process::text(record->value), "hello");
      EXPECT_TRUE(valid_value(*record, record->value));
    }
  }
}

TEST(Format, UntilWhenARecordIsFreshReadsBackAsItWasWrittenAndIsBeforeItExpires) {
  for (const std::uint64_t raw_bytes : {std::uint64_t{0}, std::uint64_t{77}}) {
    const std::string graced = example_segment({1, {2}}, raw_bytes, TablePlace::leads, 1'700'000'000'500);
    const std::optional<RecordView> record = read(graced);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->header.flags, raw_bytes == 0 ? 4 : 5);
    EXPECT_EQ(record->fresh_ms, 1'700'000'000'500);
    EXPECT_EQ(record->raw_bytes, raw_bytes);
    EXPECT_TRUE(record->is_for(Key{"k"}));
    EXPECT_EQ(stamps_of(*record).tags, std::vector<TagId>{2});
    EXPECT_EQ(Process::text(record->value), "hello");
  }
  EXPECT_EQ(read(example_segment())->fresh_ms, INT64_MAX);
}

template <class T>
std::string hex_of(const T& object) {
  return hex(Process::text(std::as_bytes(std::span(&object, 1))));
}

TEST(Format, TheBytesOfAJournalAreTheOnesOfThePage) {
  EXPECT_EQ(hex_of(make_journal_page(some_uuid(), 1)),
            "6c61726465724a31000102030405060708090a0b0c0d0e0f01000000000000002dba58f1ce1b1fe6");
  const std::uint64_t seed = journal_seed(some_uuid(), 1);
  EXPECT_EQ(
      hex_of(make_journal_entry(JournalKind::key, key_mark(Key{"k"}.fingerprint()), std::uint64_t{1} << 40, seed, 0)),
      "abb42d696478c666000000000001000001000000000000000d79d311c6533d70");
}

TEST(Format, AJournalEntryIsValidInItsPlaceOnlyAndAnyFlippedBitOfItIsDamage) {
  const std::uint64_t seed = journal_seed(some_uuid(), 1);
  const JournalEntry entry = make_journal_entry(JournalKind::tag, 5, 6, seed, 7);
  EXPECT_EQ(check_journal_entry(entry, seed, 7), JournalPlace::entry);
  EXPECT_EQ(check_journal_entry(entry, seed, 8), JournalPlace::damaged);
  EXPECT_EQ(check_journal_entry(entry, journal_seed(some_uuid(), 2), 7), JournalPlace::damaged);
  EXPECT_EQ(check_journal_entry(JournalEntry{}, seed, 7), JournalPlace::empty);
  for (std::size_t bit = 0; bit < 8 * sizeof entry; ++bit) {
    JournalEntry flipped = entry;
    std::as_writable_bytes(std::span(&flipped, 1))[bit / 8] ^= std::byte{1} << bit % 8;
    EXPECT_EQ(check_journal_entry(flipped, seed, 7), JournalPlace::damaged) << bit;
  }
}

TEST(Format, ATagIsTheHashOfThePage) {
  EXPECT_EQ(tag_id("fab12"), 0x1691b0b70cc7ca01ULL);
}

TEST(Format, AnyFlippedBitOfARecordIsFound) {
  const std::string whole = example_segment();
  const std::optional<RecordView> record = read(whole);
  const auto value_at = static_cast<std::size_t>(record->value.data() - std::as_bytes(std::span(whole)).data());
  for (std::size_t bit = 64 * 8; bit < (value_at + 5) * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const std::optional<RecordView> found = read(damaged);
    const bool in_padding = bit / 8 >= 64 + 64 + record->header.body_bytes && bit / 8 < value_at;
    EXPECT_EQ(found && valid_value(*found, found->value), in_padding) << "bit " << bit;
  }
}

TEST(Format, ARecordIsValidInItsPlaceOnly) {
  const std::string segment = example_segment();
  const Bytes bytes = std::as_bytes(std::span(segment));
  EXPECT_FALSE(read_record(bytes, segment_seed(some_uuid(), 8), 64)) << "another segment";
  Uuid other = some_uuid();
  other[3] ^= std::byte{1};
  EXPECT_FALSE(read_record(bytes, segment_seed(other, 7), 64)) << "another store";
  std::string moved = segment;
  moved.insert(64, std::string(64, '\0'));
  EXPECT_FALSE(read(moved, 128)) << "another offset";
  EXPECT_FALSE(read(segment.substr(0, segment.size() - 1)));
  EXPECT_FALSE(read(segment, 65));
  EXPECT_FALSE(read(segment, UINT64_MAX - 63));
}

TEST(Format, AnyFlippedBitOfASlotsTagOrLocationMakesItAnotherKeys) {
  const Digest fingerprint = Key{"k"}.fingerprint();
  const std::uint64_t word = pack_slot(fingerprint, {77, 64 * 1000});
  ASSERT_TRUE(slot_matches(word, fingerprint));
  EXPECT_EQ(slot_location(word).segment, 77u);
  EXPECT_EQ(slot_location(word).offset, 64u * 1000);
  for (int bit = 8; bit < 64; ++bit) EXPECT_FALSE(slot_matches(word ^ std::uint64_t{1} << bit, fingerprint)) << bit;
}

TEST(Format, TheSizesOfAStoreFollowItsLimit) {
  const Geometry small = Geometry::for_limit(1);
  EXPECT_EQ(small.segment_bytes, k_segment_bytes_min);
  const Geometry usual = Geometry::for_limit(k_limit_default);
  EXPECT_EQ(usual.segment_bytes, k_segment_bytes_max);
  const IndexShape index = IndexShape::made(1, 0, k_limit_default);
  EXPECT_EQ(index.bytes(), 4 * k_mib);
  EXPECT_EQ(index.bytes_max(), 512 * k_mib);
  EXPECT_GE(IndexShape::made(1, 10'000'000, k_limit_default).bytes(), 10'000'000u * 8);
  const Geometry huge = Geometry::for_limit(std::uint64_t{1} << 50);
  EXPECT_TRUE(huge.plausible());
  for (const std::uint64_t limit :
       {std::uint64_t{0}, 64 * k_mib, k_limit_default, std::uint64_t{1} << 50, UINT64_MAX}) {
    const IndexShape shape = IndexShape::made(7, 0, limit);
    EXPECT_TRUE(shape.plausible()) << limit;
    EXPECT_EQ(IndexShape::of(shape.word()).word(), shape.word());
    EXPECT_EQ(IndexShape::of(shape.word()).number, 7u);
  }
  EXPECT_EQ(huge.segment_slots, k_segment_slots_max);
}

TEST(Format, WhenARecordIsOverIsKnownToTheSecondAndNeverTooEarly) {
  EXPECT_EQ(lasts_until(INT64_MAX), k_lasts_always);
  EXPECT_EQ(lasts_until(5000), 5u);
  EXPECT_EQ(lasts_until(5001), 6u);
  EXPECT_EQ(lasts_until(4999), 5u);
  const std::int64_t last = std::int64_t{k_lasts_always} * 1000;  // in 2106
  EXPECT_EQ(lasts_until(last - 1000), k_lasts_always - 1);
  EXPECT_EQ(lasts_until(last), k_lasts_always);
  EXPECT_EQ(lasts_until(last + 1), k_lasts_always);
  // Over since before 1970: over, and not unknown.
  for (const std::int64_t past : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{-5000}, INT64_MIN}) {
    EXPECT_EQ(lasts_until(past), k_lasts_unknown + 1) << past;
  }
}

TEST(Format, LifetimesAreAlikeThatDifferByLessThanAFactorOfFour) {
  constexpr LastsUntil k_now = 1'000'000;
  const auto alike = [](LastsUntil a, LastsUntil b) {
    EXPECT_EQ(last_alike(a, b, k_now * 1000), last_alike(b, a, k_now * 1000)) << a << ' ' << b;
    return last_alike(a, b, k_now * 1000);
  };
  EXPECT_TRUE(alike(k_now + 10, k_now + 40));
  EXPECT_FALSE(alike(k_now + 10, k_now + 41));
  EXPECT_TRUE(alike(k_lasts_always, k_lasts_always));
  EXPECT_FALSE(alike(k_lasts_always, k_lasts_always - 1)) << "but not by far";
  EXPECT_TRUE(alike(k_lasts_unknown + 1, k_now - 1)) << "both are over";
  EXPECT_TRUE(alike(k_lasts_unknown + 1, k_now + 4)) << "what is over has a second left";
  EXPECT_FALSE(alike(k_lasts_unknown + 1, k_now + 5));
}

TEST(Format, ASegmentOfWhichNothingIsKnownLasts) {
  SegmentEntry entry{};
  EXPECT_TRUE(entry.lasts(INT64_MAX));
  entry.lasts_until = k_lasts_always;
  EXPECT_TRUE(entry.lasts(INT64_MAX));
  entry.lasts_until = 10;
  EXPECT_TRUE(entry.lasts(9'999));
  EXPECT_FALSE(entry.lasts(10'000));
}

}  // namespace
}  // namespace larder::store
