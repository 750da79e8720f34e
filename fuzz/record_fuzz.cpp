// A segment's bytes are whatever the disk says they are: headers, records, footer and trailer are read from
// arbitrary bytes, and nothing outside of them is touched.
#include <cstdlib>

#include "store/format.hpp"

using namespace larder;
using namespace larder::store;

// The corpus is of segment 7 of the store whose UUID is 00 01 02 … 0f, as in the format page.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Uuid uuid{};
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::byte>(i);
  const Bytes file = std::as_bytes(std::span(data, size));
  const std::uint64_t seed = segment_seed(uuid, 7);
  static_cast<void>(valid_segment_header(file, uuid, 7));
  const std::uint64_t end = walk_records(file, seed, [&](const RecordView& record) {
    static_cast<void>(valid_value(record, record.value));
    static_cast<void>(Key::from_canonical(record.key));
    if (record.end <= record.offset || record.end > size) std::abort();
  });
  if (end < sizeof(SegmentHeader)) std::abort();
  for (std::uint64_t offset = 0; offset < size; offset += k_record_align) {
    static_cast<void>(read_record(file, seed, offset));
  }
  if (const auto items = read_footer(file, 7, seed)) {
    for (const FooterItem& item : *items) {
      if (item.offset >= size) std::abort();
    }
  }
  return 0;
}
