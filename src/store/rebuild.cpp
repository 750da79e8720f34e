#include "store/rebuild.hpp"

#include <fcntl.h>
#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/bits.hpp"
#include "base/parallel.hpp"
#include "store/journal.hpp"
#include "store/salvage.hpp"
#include "store/slots.hpp"

namespace larder::store {

namespace {

// Segments are read by several threads, each of which is to have some.
constexpr std::size_t k_threads_max = 8;
constexpr std::size_t k_segments_per_thread_min = 8;

// All segments of the store, newest first, at most as many as the table holds. The others are deleted; those of them
// that may be whole are noted in `deleted`: the power could bring them back when nobody knows what became of their
// keys.
Result<std::vector<Salvaged>> salvage_all(const Paths& paths, const Control& control, Trouble& trouble,
                                          std::vector<JournalEntry>& deleted) {
  Result<std::vector<std::string>> names = os::list(paths.segments());
  if (!names) return names.error();
  std::vector<Result<std::optional<Salvaged>>> salvaged(names->size(), std::optional<Salvaged>());
  const std::size_t threads = std::min<std::size_t>(
      {k_threads_max, std::thread::hardware_concurrency(), names->size() / k_segments_per_thread_min + 1});
  base::parallel_for(names->size(), threads, [&](std::size_t i) {
    const std::optional<std::uint64_t> id = segment_id_of((*names)[i]);
    if (id && *id != 0) salvaged[i] = salvage(paths, control, *id);
  });
  std::vector<Salvaged> segments;
  const auto delete_segment = [&](std::uint64_t id) {
    deleted.push_back({id, 0, JournalKind::segment, 0, 0});
    return os::unlink(paths.segment(id));
  };
  for (std::size_t i = 0; i < names->size(); ++i) {
    const std::string& name = (*names)[i];
    Result<std::optional<Salvaged>>& segment = salvaged[i];
    if (segment && *segment) {
      segments.push_back(**std::move(segment));
      continue;
    }
    if (!segment) {
      if (!unreadable(segment.error())) return segment.error();
      trouble.note(segment.error(), (paths.segments() / name).string());
      if (Result<void> gone = delete_segment(*segment_id_of(name)); !gone) return gone.error();
      continue;
    }
    if (Result<void> gone = os::unlink(paths.segments() / name); !gone) trouble.note(gone.error(), name);
  }
  std::ranges::sort(segments, std::ranges::greater(), &Salvaged::last_sequence);
  while (segments.size() > control.segments().size()) {
    if (Result<void> gone = delete_segment(segments.back().id); !gone) return gone.error();
    segments.pop_back();
  }
  return segments;
}

// A record that may become an index entry.
struct Candidate {
  Digest fingerprint;
  std::uint64_t sequence;
  Location at;
};

// What a rebuild does with the records that it finds.
struct Chosen {
  std::vector<Candidate> winners;      // of each key the newest, all keys newest first
  std::vector<JournalEntry> left_out;  // what the journal has to hide from the next rebuild
  void leave_out(const Candidate& candidate) {
    left_out.push_back({key_mark(candidate.fingerprint), candidate.sequence, JournalKind::key, 0, 0});
  }
};

Chosen choose(Hidden& hidden, std::vector<Salvaged>& segments) {
  Chosen chosen;
  std::vector<Candidate>& candidates = chosen.winners;
  for (std::uint32_t slot = 0; slot < segments.size(); ++slot) {
    for (const FooterItem& item : segments[slot].items) {
      if (!hidden.hides(segments[slot].id, item)) {
        candidates.push_back({item.fingerprint, item.sequence, {slot, item.offset}});
      }
    }
    std::vector<FooterItem>().swap(segments[slot].items);
  }
  // Of a record and its copy the one whose segment is newer: the other one's was to be reclaimed.
  std::ranges::sort(candidates, [&](const Candidate& a, const Candidate& b) {
    return std::tie(a.fingerprint, b.sequence, segments[b.at.segment].id) <
           std::tie(b.fingerprint, a.sequence, segments[a.at.segment].id);
  });
  std::size_t kept = 0;
  for (const Candidate& candidate : candidates) {
    if (kept == 0 || candidates[kept - 1].fingerprint != candidate.fingerprint) {
      candidates[kept++] = candidate;
    } else if (candidates[kept - 1].sequence != candidate.sequence) {
      chosen.leave_out(candidate);
    } else {
      chosen.left_out.push_back({segments[candidate.at.segment].id, candidate.at.offset, JournalKind::record, 0, 0});
    }
  }
  candidates.resize(kept);
  // A full bucket keeps what is newer.
  std::ranges::sort(candidates, std::ranges::greater(), &Candidate::sequence);
  return chosen;
}

// Begins a journal that says only what is needed from here on.
Result<void> renew_journal(const Paths& paths, const Control& control, const Hidden& hidden,
                           const std::vector<JournalEntry>& left_out) {
  const std::uint64_t room = control.geometry().journal_entries();
  std::vector<JournalEntry> entries = hidden.needed({});
  entries.insert(entries.end(), left_out.begin(), left_out.end());
  shorten(entries, room / 2, control.last_sequence());

  ControlPage& page = control.page();
  // What hides the records of a segment that is not there is not needed, unless the power brings its name back.
  if (Result<void> synced = os::sync_directory(paths.segments()); !synced) return synced;
  // The tags' generations are in `gen` now.
  const Result<os::File> gen = os::File::open(paths.gen(), O_RDWR);
  if (!gen) return gen.error();
  if (Result<void> synced = gen->sync(); !synced) return synced;
  if (Result<void> begun = Journal::begin(paths, control, entries); !begun) return begun;
  page.journal_count = entries.size();
  page.journal_synced = entries.size();
  page.journal_cleared = 0;
  page.journal_owed = 0;
  return {};
}

}  // namespace

Result<void> rebuild(const Paths& paths, const Control& control, const Table& gen, Trouble& trouble) {
  ControlPage& page = control.page();
  page.boot_id = {};
  os::reached("store.rebuild.begun");
  std::vector<JournalEntry> deleted;
  Result<std::vector<Salvaged>> segments = salvage_all(paths, control, trouble, deleted);
  if (!segments) return segments.error();

  Result<Journal::Contents> journal = Journal::read_all(paths, control);
  if (!journal) return journal.error();

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
    entry.records = static_cast<std::uint32_t>(segment.items.size());
    for (const FooterItem& item : segment.items) {
      entry.lasts_until = std::max(entry.lasts_until.load(), lasts_until(item.expires_ms));
    }
    entry.state = SegmentState::sealed;
    sequence = std::max(sequence, segment.last_sequence);
    last_id = std::max(last_id, segment.id);
  }
  os::reached("store.rebuild.listed");

  for (const JournalEntry& entry : journal->entries) {
    if (!by_place(entry.kind)) sequence = std::max(sequence, entry.until);
  }
  // What hides a record may be missing from the journal: then what is as old is not believed.
  std::uint64_t floor = std::min(control.floor(), sequence);
  if (!journal->whole) {
    floor = sequence;
    trouble.note(Counter::fault_damaged_file, paths.journal(page.journal_number.load()).string(),
                 "the journal in " + paths.v1().string() + " is damaged: nothing that was stored is found again");
  }
  if (floor != 0) journal->entries.push_back({0, floor, JournalKind::all, 0, 0});
  Hidden hidden(std::move(journal->entries));

  // Nobody has the store open, so nobody remembers anything.
  page.forgotten = 0;
  page.clearing = 0;
  Chosen chosen = choose(hidden, *segments);
  chosen.left_out.insert(chosen.left_out.end(), deleted.begin(), deleted.end());
  const IndexShape shape = IndexShape::made(control.index().number + 1, chosen.winners.size(), page.limit.load());
  Result<os::Mapping> mapping = make_index(paths, shape);
  if (!mapping) return mapping.error();
  const std::atomic<std::uint64_t> word{shape.word()};
  Slots index(*std::move(mapping), word);
  for (const Candidate& candidate : chosen.winners) {
    // It may be removed without anybody's knowing of it.
    if (!index.insert(candidate.fingerprint, candidate.at)) chosen.leave_out(candidate);
  }
  os::reached("store.rebuild.filled");

  // A new crash epoch: numbers that were given out but lost with the power are never given out again.
  page.sequence = ((sequence >> 40) + 1) << 40;
  TagTable tags = tags_in(gen, control);
  hidden.for_each_tag([&](TagId tag, std::uint64_t moment) { tags.note(tag, moment); });
  tags.settle();
  if (Result<void> renewed = renew_journal(paths, control, hidden, chosen.left_out); !renewed) {
    return renewed;
  }
  page.floor = 0;
  page.floor_inverse = ~std::uint64_t{0};
  page.next_segment_id = last_id + 1;
  page.making = 0;
  page.index = shape.word();
  page.boot_id = os::boot_id();
  os::reached("store.rebuild.done");
  trouble.count(Counter::rebuilt);
  return {};
}

}  // namespace larder::store
