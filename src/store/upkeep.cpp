#include "store/upkeep.hpp"

#include <algorithm>
#include <set>

#include "store/body.hpp"
#include "store/salvage.hpp"

namespace larder::store {

namespace {

std::optional<std::uint32_t> slot_of(const Control& control, std::uint64_t id) noexcept {
  for (std::uint32_t slot = 0; slot < control.segments().size(); ++slot) {
    if (id != 0 && control.segment(slot).id.load() == id) return slot;
  }
  return std::nullopt;
}

// A store says itself whose it is.
Result<os::Audience> audience_of(const std::filesystem::path& directory) {
  const Result<os::Ownership> found = os::ownership(directory);
  if (!found) return found.error();
  const os::Audience shared{found->group};
  return found->mode == shared.directory_mode() ? shared : os::Audience{};
}

Result<std::unique_ptr<Store>> open_as_it_is(const std::filesystem::path& directory, observe::Counters& counters) {
  const Result<os::Audience> audience = audience_of(directory);
  if (!audience) return audience.error();
  StoreOptions options;
  options.directory = directory;
  options.counters = &counters;
  options.audience = *audience;
  return Store::open(options);
}

constexpr const char* k_table_contradicts =
    ": the table of segments contradicts itself; it is made anew by the first program that opens the store when no "
    "other has it open. End those that use it, then larder verify --repair";

}  // namespace

// What a repair does to an open store, one step a function.
class Store::Mender {
 public:
  Mender(Body& body, Repaired& repaired)
      : body_(body), control_(body.files.control), index_(*body.index), repaired_(repaired) {
    for (const Damage& damage : repaired.found.damaged) {
      const auto slot = slot_of(control_, damage.segment);
      if (slot && damage.of == Damage::Of::segment) unreadable_.insert(*slot);
    }
  }

  void remove_damaged_values() {
    for (const Damage& damage : repaired_.found.damaged) {
      const auto segment = slot_of(control_, damage.segment);
      if (!segment || damage.of != Damage::Of::value) continue;
      const Location at{*segment, damage.offset};
      bool there = false;
      index_.slots().each_to(*damage.fingerprint, at, [&](Slot& slot, std::uint64_t word) {
        there |= (word & k_slot_pending) == 0;
        index_.forget(slot, word, *damage.fingerprint, damage.sequence);
      });
      body_.generations->outdate(*damage.fingerprint);
      if (there) repaired_.lost.push_back(damage.key);
    }
  }

  void follow_slots() {
    for (Slot& slot : index_.slots().all()) {
      const std::uint64_t word = slot.load();
      if (word == 0) continue;
      const Location at = slot_location(word);
      Index::Hit hit;
      // What cannot be read must not be touched either: it would be a signal.
      const Index::Read what = unreadable_.contains(at.segment) ? Index::Read::damaged : index_.read(word, hit);
      if (slot.load() != word) continue;  // it went meanwhile, maybe with its segment
      if (what == Index::Read::damaged) {
        index_.drop_damaged(slot, word);
        ++repaired_.lost_unnamed;
      } else if (what == Index::Read::found && !index_.slots().fits(slot, word, hit.record.header.fingerprint)) {
        // Its record may have the right slot as well, and be current.
        if (index_.slots().lead_to(hit.record.header.fingerprint, at)) {
          Slots::drop(slot, word);
        } else {
          index_.drop_damaged(slot, word);
        }
        ++repaired_.astray;
      }
    }
    repaired_.astray += body_.space->clear_stale_slots();
  }

  // Not put back into the index: their keys may have been removed since the slots were lost, by somebody who then had
  // nothing to note.
  void give_up_unreachable() {
    std::vector<std::pair<std::uint32_t, FooterItem>> found;
    for (std::uint32_t slot = 0; slot < control_.segments().size(); ++slot) {
      const SegmentEntry& entry = control_.segment(slot);
      const std::uint64_t id = entry.id.load();
      if (id == 0 || !alive(entry.state.load()) || unreadable_.contains(slot)) continue;
      const Result<std::optional<Salvaged>> segment = salvage(body_.files.paths, control_, id);
      if (!segment || !*segment) continue;
      // In this order: of a record that is on its way either its mark is seen here, or its slot below.
      const std::uint64_t on_its_way = entry.publishing.load() == 0 ? UINT64_MAX : entry.publishing_at.load();
      const std::uint64_t committed = entry.committed.load();
      for (const FooterItem& item : (*segment)->items) {
        if (item.offset >= std::min(on_its_way, committed) ||
            index_.slots().lead_to(item.fingerprint, {slot, item.offset})) {
          continue;
        }
        found.emplace_back(slot, item);
      }
    }
    // The journal after the slots: a slot is cleared when it was noted why.
    const Journal::Contents journal = body_.journal->contents();
    Hidden hidden(journal.entries);
    std::erase_if(found,
                  [&](const auto& one) { return hidden.hides(control_.segment(one.first).id.load(), one.second); });
    if (journal.whole) {
      for (const auto& [slot, item] : found) body_.journal->note_record({slot, item.offset});
      repaired_.unreachable = found.size();
    } else {
      // Which of these it had noted is not known, and does not matter.
      std::vector<JournalEntry> entries;
      for (const SegmentEntry& entry : control_.segments()) {
        const std::uint64_t id = entry.id.load();
        if (id != 0 && !alive(entry.state.load())) entries.push_back({id, 0, JournalKind::segment, 0, 0});
      }
      for (const auto& [slot, item] : found) {
        entries.push_back({control_.segment(slot).id.load(), item.offset, JournalKind::record, 0, 0});
      }
      repaired_.journal_renewed = body_.journal->renew(std::move(entries));
    }
    body_.journal->sync(0);
  }

  void free_segments() {
    std::set<std::uint64_t> ids;
    for (const Damage& damage : repaired_.found.damaged) ids.insert(damage.segment);
    for (const std::uint64_t id : ids) {
      const auto slot = slot_of(control_, id);
      if (!slot) continue;
      const std::uint64_t bytes = control_.segment(*slot).reserved.load();
      if (!body_.space->free_empty(*slot, id)) continue;
      ++repaired_.segments_freed;
      repaired_.bytes_freed += bytes;
    }
  }

  void delete_strays() {
    Space::Strays strays = body_.space->delete_strays();
    repaired_.deleted = std::move(strays.deleted);
    for (const std::string& file : strays.unknown) {
      repaired_.left.push_back(file + " is none of larder's files and was left alone; delete it if nobody needs it");
    }
  }

 private:
  Body& body_;
  const Control& control_;
  Index& index_;
  Repaired& repaired_;
  std::set<std::uint32_t> unreadable_;  // segment slots
};

void Store::mend(Repaired& repaired) {
  const TellAtEnd tell(body_->trouble);
  Mender mender(*body_, repaired);
  mender.remove_damaged_values();
  mender.follow_slots();
  mender.give_up_unreachable();
  mender.free_segments();
  mender.delete_strays();
}

Result<Repaired> repair(const std::filesystem::path& directory,
                        const std::function<void(std::uint64_t done, std::uint64_t all)>& progress) {
  const Paths paths{directory};
  Repaired repaired;
  Result<Verified> found = verify(directory, progress);
  if (found) {
    repaired.found = *std::move(found);
  } else if (found.error().code() == Errc::no_store || found.error().code() == Errc::damaged) {
    repaired.begun_anew = true;
  } else {
    return found.error();
  }
  const auto table = [&] {
    const auto wrong = check_table(directory);
    return wrong && !wrong->empty() ? wrong->front() : std::string();
  };
  const std::string wrong = table();
  if (!wrong.empty()) {
    const Result<Control> control = Control::open(paths);
    if (!control) return control.error();
    control->page().boot_id = {};  // as if the machine had restarted
  }
  observe::Counters counters;
  Result<std::unique_ptr<Store>> store = open_as_it_is(directory, counters);
  if (!store) return store.error();
  repaired.rebuilt = counters.totals()[static_cast<std::size_t>(Counter::rebuilt)] != 0 && !wrong.empty();
  (*store)->mend(repaired);
  if (const std::string still = table(); !wrong.empty() && !still.empty()) {
    repaired.left.push_back(still + k_table_contradicts);
  }
  const bool journal_damaged =
      std::ranges::find(repaired.found.damaged, Damage::Of::journal, &Damage::of) != repaired.found.damaged.end();
  if (journal_damaged && !repaired.journal_renewed) {
    repaired.left.push_back("the journal could not be made anew; free some space, then larder verify --repair");
  }
  return repaired;
}

Result<CompactedStore> compact(const std::filesystem::path& directory,
                               const std::function<void(std::uint64_t done, std::uint64_t all)>& progress) {
  observe::Counters counters;
  Result<std::unique_ptr<Store>> store = open_as_it_is(directory, counters);
  if (!store) return store.error();
  CompactedStore compacted;
  compacted.before = (*store)->usage();
  compacted.done = (*store)->compact(progress);
  (*store)->maintain();
  compacted.after = (*store)->usage();
  store->reset();  // so that this process is none of those who hold values
  Result<Holders> found = holders(directory);
  if (!found) return found.error();
  compacted.holders = *std::move(found);
  return compacted;
}

}  // namespace larder::store
