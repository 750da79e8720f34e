#include "store/rebuild.hpp"

#include <fcntl.h>
#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/bits.hpp"
#include "store/slots.hpp"

namespace larder::store {

namespace {

// A segment file and what it says of itself.
struct Salvaged {
  std::uint64_t id = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t committed = 0;
  std::uint64_t last_sequence = 0;
  std::uint64_t hiding = UINT64_MAX;  // as in the segment table; not known: the highest
  bool single = false;
  std::vector<FooterItem> items;
};

FooterItem item_of(const RecordView& record) {
  return {record.header.fingerprint,
          record.header.sequence,
          record.offset,
          record.header.expires_ms,
          static_cast<std::uint32_t>(record.header.kind),
          0};
}

// The segment in a file, or nothing if there is none. Errors are the system's.
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
    const std::optional<RecordView> record = read_record(bytes, seed, sizeof(SegmentHeader));
    if (!record) return std::optional<Salvaged>();
    if (record->end >= control.geometry().single_bytes_min()) {
      segment.single = true;
      segment.items.push_back(item_of(*record));
      segment.committed = record->end;
    }
  }
  if (!segment.single) {
    if (Result<void> ready = populate(*size - sizeof(Trailer), sizeof(Trailer)); !ready) return ready.error();
    if (const std::optional<std::uint64_t> footer = read_trailer(bytes, id, seed); footer && *footer < *size) {
      if (Result<void> ready = populate(*footer, *size - *footer); !ready) return ready.error();
      if (std::optional<std::vector<FooterItem>> items = read_footer(bytes, id, seed)) {
        segment.items = *std::move(items);
        segment.committed = read_record(bytes, seed, *footer)->end;
      }
    }
  }
  if (segment.committed == 0) {
    if (Result<void> ready = populate(0, *size); !ready) return ready.error();
    segment.committed =
        walk_records(bytes, seed, [&](const RecordView& record) { segment.items.push_back(item_of(record)); });
  }
  std::erase_if(segment.items, [](const FooterItem& item) {
    return item.kind != static_cast<std::uint32_t>(Kind::value) &&
           item.kind != static_cast<std::uint32_t>(Kind::tombstone);
  });
  if (segment.items.empty()) return std::optional<Salvaged>();
  segment.last_sequence = std::ranges::max(segment.items, {}, &FooterItem::sequence).sequence;
  return std::optional(std::move(segment));
}

// All segments of the store, newest first, at most as many as the table holds. The others are deleted.
Result<std::vector<Salvaged>> salvage_all(const Paths& paths, const Control& control, Trouble& trouble) {
  Result<std::vector<std::string>> names = os::list(paths.segments());
  if (!names) return names.error();
  std::vector<Salvaged> segments;
  for (const std::string& name : *names) {
    const std::optional<std::uint64_t> id = segment_id_of(name);
    if (id && *id != 0) {
      Result<std::optional<Salvaged>> segment = salvage(paths, control, *id);
      if (segment && *segment) {
        segments.push_back(**std::move(segment));
        continue;
      }
      if (!segment) trouble.note(segment.error(), (paths.segments() / name).string());
    }
    if (Result<void> gone = os::unlink(paths.segments() / name); !gone) trouble.note(gone.error(), name);
  }
  std::ranges::sort(segments, std::ranges::greater(), &Salvaged::last_sequence);
  while (segments.size() > control.segments().size()) {
    if (Result<void> gone = os::unlink(paths.segment(segments.back().id)); !gone) return gone.error();
    control.raise_floor(segments.back().last_sequence);
    segments.pop_back();
  }
  return segments;
}

// A record that may become an index entry.
struct Candidate {
  Digest fingerprint;
  std::uint64_t sequence;
  Location at;
  bool value;
};

void fill_index(Slots& index, const Control& control, std::vector<Salvaged>& segments) {
  const std::uint64_t floor = control.floor();
  std::vector<Candidate> candidates;
  for (std::uint32_t slot = 0; slot < segments.size(); ++slot) {
    for (const FooterItem& item : segments[slot].items) {
      if (item.sequence <= floor) continue;
      candidates.push_back(
          {item.fingerprint, item.sequence, {slot, item.offset}, item.kind == static_cast<std::uint32_t>(Kind::value)});
    }
    std::vector<FooterItem>().swap(segments[slot].items);
  }
  // Of each key the newest, then the newest first: a full bucket keeps what is newer.
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return std::tie(a.fingerprint, b.sequence) < std::tie(b.fingerprint, a.sequence);
  });
  const auto same_key = [](const Candidate& a, const Candidate& b) { return a.fingerprint == b.fingerprint; };
  candidates.erase(std::unique(candidates.begin(), candidates.end(), same_key), candidates.end());
  std::ranges::sort(candidates, std::ranges::greater(), &Candidate::sequence);
  for (const Candidate& candidate : candidates) {
    if (candidate.value && !index.insert(candidate.fingerprint, candidate.at)) {
      control.note_unindexed(candidate.sequence);
    }
  }
}

// What the segment table said before the restart is believed as far as it makes the store forget: where a
// segment has lost records that hid older ones elsewhere, those are not to come back.
void account_for_losses(const Control& control, std::vector<Salvaged>& segments) {
  for (const SegmentEntry& entry : control.segments()) {
    const SegmentState state = entry.state.load();
    if (state != SegmentState::open && state != SegmentState::sealed) continue;
    const auto found = std::ranges::find(segments, entry.id.load(), &Salvaged::id);
    const bool whole = found != segments.end() && found->committed >= entry.committed.load();
    const std::uint64_t kept = found != segments.end() ? found->last_sequence : 0;
    if (found != segments.end()) found->hiding = entry.hiding.load();
    if (!whole && entry.hiding.load() > kept) control.raise_floor(entry.hiding.load());
  }
}

}  // namespace

Result<void> rebuild(const Paths& paths, const Control& control, Trouble& trouble) {
  ControlPage& page = control.page();
  page.boot_id = {};
  os::reached("store.rebuild.begun");
  Result<std::vector<Salvaged>> segments = salvage_all(paths, control, trouble);
  if (!segments) return segments.error();

  account_for_losses(control, *segments);

  std::uint64_t sequence = page.sequence.load();
  std::uint64_t last_id = page.next_segment_id.load();
  for (SegmentEntry& entry : control.segments()) std::memset(static_cast<void*>(&entry), 0, sizeof entry);
  for (std::uint32_t slot = 0; slot < segments->size(); ++slot) {
    const Salvaged& segment = (*segments)[slot];
    SegmentEntry& entry = control.segment(slot);
    entry.id = segment.id;
    entry.kind = segment.single ? SegmentKind::single : SegmentKind::shared;
    entry.committed = segment.committed;
    entry.reserved = base::align_up(segment.file_bytes, k_page_bytes);
    entry.last_sequence = segment.last_sequence;
    entry.records = segment.items.size();
    entry.hiding = std::min(segment.hiding, segment.last_sequence);
    entry.state = SegmentState::sealed;
    sequence = std::max(sequence, segment.last_sequence);
    last_id = std::max(last_id, segment.id);
  }
  // Nothing of up to the floor is to be found; one beyond all records is damaged, and everything later is to be found.
  page.floor = std::min(control.floor(), sequence);
  page.floor_inverse = ~page.floor.load();
  os::reached("store.rebuild.listed");

  // Nobody has the store open, so nobody remembers anything.
  page.forgotten = 0;
  page.unindexed = 0;
  const std::uint64_t number = page.index_number.load() + 1;
  Result<os::Mapping> mapping = make_mapped_file(paths.index(number), paths.audience, control.geometry().index_bytes());
  if (!mapping) return mapping.error();
  Slots index(*std::move(mapping));
  fill_index(index, control, *segments);
  os::reached("store.rebuild.filled");

  // A new crash epoch: numbers that were given out but lost with the power are never given out again.
  page.sequence = ((sequence >> 40) + 1) << 40;
  page.next_segment_id = last_id + 1;
  page.making = 0;
  page.index_number = number;
  page.boot_id = os::boot_id();
  os::reached("store.rebuild.done");
  trouble.count(Counter::rebuilt);
  return {};
}

}  // namespace larder::store
