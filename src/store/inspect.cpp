#include "store/inspect.hpp"

#include <fcntl.h>
#include <algorithm>

#include "store/control.hpp"
#include "store/journal.hpp"
#include "store/locks.hpp"
#include "store/slots.hpp"

namespace larder::store {

namespace {

Result<Control> open_control(const Paths& paths) {
  const Result<Control::Found> found = Control::look(paths);
  if (!found) return found.error();
  if (*found == Control::Found::damaged)
    return Error(Errc::no_store, "there is no whole store in " + paths.root.string());
  return Control::open(paths, os::Mapping::Access::read);
}

// What lookups believe: the index says which values were verified, the generation table what may be remembered.
struct Beliefs {
  Slots slots;
  Generations generations;
};

Result<Beliefs> open_beliefs(const Paths& paths, const Control& control) {
  Result<os::Mapping> index = map_index(paths, control.index());
  if (!index) return index.error();
  Result<Table> gen = Table::open(paths.gen(), k_gen_magic, control.page().uuid, control.geometry().gen_bytes());
  if (!gen) return gen.error();
  return Beliefs{Slots(*std::move(index), control.page().index), Generations(*std::move(gen), control.geometry())};
}

std::string key_text(const RecordView& record) {
  const Result<Key> key = Key::from_canonical(record.key);
  return key ? key->text() : std::string();
}

// A segment's committed bytes, mapped for reading.
struct Mapped {
  os::Mapping mapping;
  Bytes bytes;
  std::uint64_t seed = 0;
};

Result<Mapped> map_segment(const Paths& paths, const Control& control, std::uint64_t id, std::uint64_t committed) {
  Result<os::File> file = os::File::open(paths.segment(id), O_RDONLY);
  if (!file) return file.error();
  const Result<std::uint64_t> size = file->size();
  if (!size) return size.error();
  if (*size < committed || committed < sizeof(SegmentHeader)) return Error(Errc::damaged, "the file is short");
  Result<os::Mapping> mapping = os::Mapping::map(*file, committed, os::Mapping::Access::read);
  if (!mapping) return mapping.error();
  Mapped mapped{*std::move(mapping), {}, segment_seed(control.page().uuid, id)};
  mapped.bytes = {mapped.mapping.data(), committed};
  return mapped;
}

// Brings a record's bytes in, a chunk at a time, and checks each chunk.
bool whole(const Mapped& segment, const RecordView& record, const std::string& file) {
  for (std::uint64_t i = 0; i < record.chunk_table.size() / 8; ++i) {
    const Bytes chunk = chunk_of(record.value, i);
    const auto offset = static_cast<std::uint64_t>(chunk.data() - segment.mapping.data());
    if (!chunk.empty() && !segment.mapping.populate(offset, chunk.size(), file)) return false;
    if (!valid_chunk(record, i, chunk)) return false;
  }
  return true;
}

}  // namespace

Result<Verified> verify(const std::filesystem::path& directory,
                        const std::function<void(std::uint64_t done, std::uint64_t all)>& progress) {
  const Paths paths{directory};
  const Result<Control> control = open_control(paths);
  if (!control) return control.error();
  std::uint64_t all = 0;
  for (const SegmentEntry& entry : control->segments()) all += alive(entry.state.load()) ? entry.committed.load() : 0;

  Verified result;
  Result<Beliefs> beliefs = open_beliefs(paths, *control);
  const auto correct = [&](const auto& change) {
    if (beliefs) return change(*beliefs);
    result.unmarked = beliefs.error().what();
  };
  std::uint64_t done = 0;
  for (std::uint32_t slot = 0; slot < control->segments().size(); ++slot) {
    const SegmentEntry& entry = control->segment(slot);
    const std::uint64_t id = entry.id.load();
    const std::uint64_t committed = entry.committed.load();
    if (id == 0 || !alive(entry.state.load())) continue;
    const std::string file = paths.segment(id).string();
    const auto vanished = [&] { return entry.id.load() != id || !alive(entry.state.load()); };
    Result<Mapped> segment = map_segment(paths, *control, id, committed);
    if (segment) {
      // The headers are walked in mapped bytes: brought in first, so that a bad disk is found out here.
      constexpr std::uint64_t k_step = std::uint64_t{4} << 20;
      for (std::uint64_t at = 0; at < committed && segment; at += k_step) {
        const Result<void> ready = segment->mapping.populate(at, std::min(k_step, committed - at), file);
        if (!ready) segment = ready.error();
      }
    }
    if (!segment) {
      if (vanished()) continue;
      result.damaged.push_back({Damage::Of::segment, file, 0, segment.error().what(), {}, id});
      correct([&](Beliefs& wrong) { wrong.slots.distrust_from({slot, 0}); });
      continue;
    }
    SegmentInfo info{file, id, entry.reserved.load(), 0, entry.state.load() == SegmentState::sealed};
    const auto rest_is_damaged = [&](std::uint64_t offset, const char* what) {
      if (beliefs && !beliefs->slots.lead_from({slot, offset})) {
        ++result.harmless;
      } else {
        result.damaged.push_back({Damage::Of::rest, file, offset, what, {}, id});
      }
    };
    if (!valid_segment_header(segment->bytes, control->page().uuid, id)) {
      rest_is_damaged(0, "the segment's header is damaged; a restart loses what is in it");
    }
    const std::uint64_t end = walk_records(segment->bytes, segment->seed, [&](const RecordView& record) {
      result.bytes += record.end - record.offset;
      const bool is_footer = record.header.kind == Kind::footer;
      if (!is_footer) ++info.records;
      if (!whole(*segment, record, file)) {
        // A footer is nothing that is looked for: a rebuild reads the records instead.
        const bool looked_for =
            !is_footer && (!beliefs || beliefs->slots.lead_to(record.header.fingerprint, {slot, record.offset}));
        if (!looked_for) {
          ++result.harmless;
        } else {
          ++result.damaged_records;
          result.damaged.push_back({Damage::Of::value, file, record.offset, "the value does not match its checksums",
                                    key_text(record), id, record.header.sequence, record.header.fingerprint});
          correct([&](Beliefs& wrong) {
            // In this order: who asks because the key is outdated has to check the value.
            wrong.slots.distrust(record.header.fingerprint, {slot, record.offset});
            wrong.generations.outdate(record.header.fingerprint);
          });
        }
      }
      if (progress) progress(done + record.end, all);
    });
    if (end != committed) {
      rest_is_damaged(end, "no valid record; what follows is not reached");
      correct([&](Beliefs& wrong) { wrong.slots.distrust_from({slot, end}); });
    }
    result.records += info.records;
    done += committed;
    if (progress) progress(done, all);
    result.segments.push_back(std::move(info));
  }
  // Unless it was replaced meanwhile.
  const std::uint64_t journal = control->page().journal_number.load();
  const Result<Journal::Contents> contents =
      Journal::read(paths, *control, journal, control->geometry().journal_entries());
  const bool whole_journal = contents && contents->whole;
  if (!whole_journal && control->page().journal_number.load() == journal) {
    result.damaged.push_back({Damage::Of::journal, paths.journal(journal).string(), 0,
                              "the journal is damaged; after the next restart nothing that is stored now is found"});
  }
  return result;
}

Result<Holders> holders(const std::filesystem::path& directory) {
  std::error_code failed;
  const Paths paths{std::filesystem::canonical(directory, failed)};
  if (failed) return os::error(failed.value(), "resolve", directory.string());
  const Result<Control> control = open_control(paths);
  if (!control) return control.error();
  return find_holders(paths, *control);
}

Result<Survey> survey(const std::filesystem::path& directory) {
  const Paths paths{directory};
  const Result<Control> control = open_control(paths);
  if (!control) return control.error();
  const ControlPage& page = control->page();
  Survey survey;
  Result<os::Mapping> index = map_index(paths, control->index(), os::Mapping::Access::read);
  if (!index) return index.error();
  const Slots slots(*std::move(index), page.index);
  survey.slots = slots.all().size();
  survey.slots_max = control->index().bytes_max() / sizeof(Slot);
  survey.slots_taken = static_cast<std::uint64_t>(
      std::ranges::count_if(slots.all(), [](const Slot& slot) { return slot.load(std::memory_order_relaxed) != 0; }));
  survey.journal_places = control->geometry().journal_entries();
  survey.journal_taken = page.journal_used.load();
  const Result<std::vector<std::string>> locks = os::list(paths.locks());
  if (!locks) return locks.error();
  constexpr std::uint64_t k_lock_files = k_lease_files + k_pin_files + 1;
  survey.lock_files_missing = k_lock_files - std::min<std::uint64_t>(k_lock_files, locks->size());
  const Result<std::vector<std::string>> names = os::list(paths.segments());
  if (!names) return names.error();
  for (const std::string& name : *names) {
    // A file is there for as long as its entry has its number, never longer.
    const std::optional<std::uint64_t> id = segment_id_of(name);
    const bool listed = id && std::ranges::any_of(control->segments(), [&](const SegmentEntry& entry) {
                          return *id != 0 && entry.id.load() == *id;
                        });
    if (!listed) survey.strays.push_back((paths.segments() / name).string());
  }
  return survey;
}

namespace {

std::vector<std::string> contradictions_of_table(const Control& control) {
  const ControlPage& page = control.page();
  std::vector<std::string> wrong;
  for (std::uint32_t slot = 0; slot < control.segments().size(); ++slot) {
    const SegmentEntry& entry = control.segment(slot);
    const std::string name = "segment slot " + std::to_string(slot);
    if (static_cast<std::uint32_t>(entry.state.load()) > static_cast<std::uint32_t>(SegmentState::cleared)) {
      wrong.push_back(name + " has an unknown state");
    }
    if (!alive(entry.state.load())) continue;
    if (entry.id.load() == 0 || entry.id.load() >= page.next_segment_id.load())
      wrong.push_back(name + " has a foreign id");
    if (entry.committed.load() > entry.reserved.load()) wrong.push_back(name + " is longer than what it is charged");
    if (entry.last_sequence.load() >= page.sequence.load()) wrong.push_back(name + " has records from the future");
  }
  return wrong;
}

}  // namespace

Result<std::vector<std::string>> check_table(const std::filesystem::path& directory) {
  const Result<Control> control = open_control({directory});
  if (!control) return control.error();
  return contradictions_of_table(*control);
}

Result<std::vector<std::string>> check(const std::filesystem::path& directory) {
  const Paths paths{directory};
  const Result<Control> control = open_control(paths);
  if (!control) return control.error();
  const ControlPage& page = control->page();
  std::vector<std::string> wrong = contradictions_of_table(*control);
  std::uint64_t bytes = control->overhead_bytes();
  for (const SegmentEntry& entry : control->segments()) bytes += entry.reserved.load();
  if (bytes > page.limit.load()) {
    wrong.push_back(std::to_string(bytes) + " bytes are charged, beyond the limit of " +
                    std::to_string(page.limit.load()));
  }

  Result<os::Mapping> mapping = map_index(paths, control->index(), os::Mapping::Access::read);
  if (!mapping) {
    wrong.emplace_back(mapping.error().what());
    return wrong;
  }
  const Slots slots(*std::move(mapping), page.index);
  for (std::size_t i = 0; i < slots.all().size(); ++i) {
    const std::uint64_t word = slots.all()[i].load();
    if (word == 0) continue;
    const std::string name = "index slot " + std::to_string(i);
    const Location at = slot_location(word);
    if (at.segment >= control->segments().size() || !alive(control->segment(at.segment).state.load())) {
      wrong.push_back(name + " leads to no segment");
      continue;
    }
    const SegmentEntry& entry = control->segment(at.segment);
    const Result<Mapped> segment = map_segment(paths, *control, entry.id.load(), entry.committed.load());
    if (!segment) {
      wrong.push_back(name + ": " + segment.error().what());
      continue;
    }
    const std::optional<RecordView> record = read_record(segment->bytes, segment->seed, at.offset);
    if (!record || record->header.kind != Kind::value) {
      wrong.push_back(name + " leads to no record");
      continue;
    }
    if (!slots.fits(slots.all()[i], word, record->header.fingerprint)) {
      wrong.push_back(name + " is not where its key is looked for");
    }
  }
  return wrong;
}

}  // namespace larder::store
