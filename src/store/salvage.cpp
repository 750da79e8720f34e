#include "store/salvage.hpp"

#include <fcntl.h>
#include <algorithm>
#include <cstring>

namespace larder::store {

Result<std::optional<Salvaged>> salvage(const Paths& paths, const Control& control, std::uint64_t id) {
  const std::filesystem::path path = paths.segment(id);
  Result<os::File> file = os::File::open(path, O_RDONLY);
  if (!file) return file.error();
  const Result<std::uint64_t> size = file->size();
  if (!size) return size.error();
  if (*size < sizeof(SegmentHeader)) return std::optional<Salvaged>();
  const Result<os::Mapping> mapping = os::Mapping::map(*file, *size, os::Mapping::Access::read);
  if (!mapping) return mapping.error();
  // Every page is brought in before it is touched: a bad disk is an error here and no signal.
  const auto populate = [&](std::uint64_t offset, std::uint64_t bytes) {
    return mapping->populate(offset, std::min(bytes, *size - offset), path.string());
  };
  const Bytes bytes(mapping->data(), *size);
  const std::uint64_t seed = segment_seed(control.page().uuid, id);
  Salvaged segment;
  segment.id = id;
  segment.file_bytes = *size;
  if (Result<void> ready = populate(0, k_page_bytes); !ready) return ready.error();
  if (!valid_segment_header(bytes, control.page().uuid, id)) return std::optional<Salvaged>();

  if (*size >= sizeof(SegmentHeader) + sizeof(RecordHeader)) {
    RecordHeader first{};
    std::memcpy(&first, bytes.data() + sizeof(SegmentHeader), sizeof first);
    if (Result<void> ready = populate(0, 2 * sizeof(SegmentHeader) + first.body_bytes); !ready) return ready.error();
    const bool trails = (first.flags & k_flag_table_trails) != 0;
    if (trails) {
      const std::uint64_t tail = std::min(*size, chunk_count(first.value_bytes) * 8 + 2 * k_record_align);
      if (Result<void> ready = populate(*size - tail, tail); !ready) return ready.error();
    }
    const std::optional<RecordView> record = read_record(bytes, seed, sizeof(SegmentHeader));
    if (!record) return std::optional<Salvaged>();
    if (trails || record->end >= control.geometry().single_bytes_min()) {
      segment.single = true;
      segment.items.push_back(footer_item(*record));
      segment.committed = record->end;
    }
  }
  if (!segment.single) {
    if (Result<void> ready = populate(*size - sizeof(Trailer), sizeof(Trailer)); !ready) return ready.error();
    if (const std::optional<std::uint64_t> footer = read_trailer(bytes, id, seed); footer && *footer < *size) {
      if (Result<void> ready = populate(*footer, *size - *footer); !ready) return ready.error();
      if (std::optional<std::vector<FooterItem>> items = read_footer(bytes, id, seed)) {
        segment.items = *std::move(items);
        const std::optional<RecordView> record = read_record(bytes, seed, *footer);
        segment.committed = record->end;
        segment.last_sequence = record->header.sequence;
      }
    }
  }
  if (segment.committed == 0) {
    if (Result<void> ready = populate(0, *size); !ready) return ready.error();
    segment.committed =
        walk_records(bytes, seed, [&](const RecordView& record) { segment.items.push_back(footer_item(record)); });
  }
  std::erase_if(segment.items,
                [](const FooterItem& item) { return item.kind != static_cast<std::uint32_t>(Kind::value); });
  if (segment.items.empty()) return std::optional<Salvaged>();
  segment.last_sequence =
      std::max(segment.last_sequence, std::ranges::max(segment.items, {}, &FooterItem::sequence).sequence);
  return std::optional(std::move(segment));
}

}  // namespace larder::store
