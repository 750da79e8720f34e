// Arbitrary words in the index, over a segment with one whole record: a slot leads to that record, under its own
// key, or nowhere.
#include <cstdlib>
#include <cstring>

#include "store/format.hpp"

using namespace larder;
using namespace larder::store;

namespace {

std::vector<std::byte> segment_with_one_record(const Uuid& uuid, const Key& key) {
  const std::array<std::byte, 5> value{};
  const Bytes bytes(value);
  const std::vector<Digest> chunks = digest_chunks(std::span(&bytes, 1), bytes.size());
  RecordParts parts;
  parts.fingerprint = key.fingerprint();
  parts.sequence = 1;
  parts.key = key.canonical();
  parts.value_bytes = bytes.size();
  parts.chunks = chunks;
  const SegmentHeader header = make_segment_header(uuid, 7);
  std::vector<std::byte> segment(sizeof header);
  std::memcpy(segment.data(), &header, sizeof header);
  const std::vector<std::byte> head = encode_head(parts, segment_seed(uuid, 7), sizeof header);
  segment.insert(segment.end(), head.begin(), head.end());
  segment.insert(segment.end(), value.begin(), value.end());
  segment.resize((segment.size() + 63) / 64 * 64);
  return segment;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Uuid uuid{};
  static const Key key{"k"};
  static const Key other{"other"};
  static const std::vector<std::byte> segment = segment_with_one_record(uuid, key);
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + at, sizeof word);
    const Location location = slot_location(word);
    if (location.segment >= k_segment_slots_max || location.offset > k_segment_bytes_max) std::abort();
    for (const Key* wanted : {&key, &other}) {
      if (!slot_matches(word, wanted->fingerprint())) continue;
      const auto flags = word & 0xff;
      if ((pack_slot(wanted->fingerprint(), location) | flags) != word) std::abort();
      const auto record = read_record(segment, segment_seed(uuid, 7), location.offset);
      if (record && record->is_for(other)) std::abort();
      if (record && record->offset != sizeof(SegmentHeader)) std::abort();
    }
  }
  return 0;
}
