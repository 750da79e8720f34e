#include "store/journal.hpp"

#include <fcntl.h>
#include <algorithm>
#include <charconv>
#include <cstring>
#include <tuple>

#include "base/atomic.hpp"
#include "store/salvage.hpp"

namespace larder::store {

namespace {

constexpr std::string_view k_name = "journal.";

auto order(const JournalEntry& entry) {
  return std::tie(entry.kind, entry.subject, entry.until);
}

std::uint64_t offset_of(std::uint64_t place) noexcept {
  return k_page_bytes + place * sizeof(JournalEntry);
}

// What is appended to or read must be this journal, also after somebody has moved files about.
Result<os::File> open_journal(const Paths& paths, const Control& control, std::uint64_t number, int flags) {
  Result<os::File> file = os::File::open(paths.journal(number), flags);
  if (!file) return file.error();
  const Result<std::uint64_t> size = file->size();
  if (!size) return size.error();
  JournalPage page{};
  const Result<std::size_t> got = file->read_at(0, std::as_writable_bytes(std::span(&page, 1)));
  if (!got) return got.error();
  const JournalPage expected = make_journal_page(control.page().uuid, number);
  if (*size != control.geometry().journal_bytes() || std::memcmp(&page, &expected, sizeof page) != 0) {
    return Error(Errc::damaged, file->path() + " is damaged");
  }
  return file;
}

}  // namespace

// --- what a journal says ---

Hidden::Hidden(std::vector<JournalEntry> entries) {
  std::ranges::sort(entries, [](const JournalEntry& a, const JournalEntry& b) { return order(a) < order(b); });
  for (const JournalEntry& entry : entries) {
    const bool of_the_last = !rules_.empty() && rules_.back().entry.kind == entry.kind &&
                             rules_.back().entry.subject == entry.subject &&
                             (entry.kind != JournalKind::record || rules_.back().entry.until == entry.until);
    if (of_the_last) {
      rules_.back().entry = entry;
    } else {
      rules_.push_back({entry});
    }
  }
}

Hidden::Rule* Hidden::first(JournalKind kind, std::uint64_t subject, std::uint64_t until) {
  const auto wanted = std::tie(kind, subject, until);
  const auto found = std::ranges::partition_point(rules_, [&](const Rule& rule) { return order(rule.entry) < wanted; });
  const bool there = found != rules_.end() && found->entry.kind == kind && found->entry.subject == subject;
  return there ? &*found : nullptr;
}

bool Hidden::hides(std::uint64_t segment_id, const FooterItem& item) {
  Rule* const record = first(JournalKind::record, segment_id, item.offset);
  const std::array<Rule*, 4> rules{first(JournalKind::all, 0, item.sequence),
                                   first(JournalKind::segment, segment_id, 0),
                                   first(JournalKind::key, key_mark(item.fingerprint), item.sequence),
                                   record != nullptr && record->entry.until == item.offset ? record : nullptr};
  const auto found = std::ranges::find_if(rules, [](const Rule* rule) { return rule != nullptr; });
  if (found == rules.end()) return false;
  (*found)->needed = true;
  return true;
}

void Hidden::keep_segment(std::uint64_t segment_id) {
  if (Rule* const rule = first(JournalKind::segment, segment_id, 0)) rule->needed = true;
}

std::vector<JournalEntry> Hidden::needed(const std::set<std::uint64_t>& marks) const {
  std::vector<JournalEntry> entries;
  for (const Rule& rule : rules_) {
    if (rule.needed || (rule.entry.kind == JournalKind::key && marks.contains(rule.entry.subject))) {
      entries.push_back(rule.entry);
    }
  }
  return entries;
}

void shorten(std::vector<JournalEntry>& entries, std::uint64_t count, std::uint64_t last) {
  if (entries.size() <= count) return;
  // What hides records by their place stays, as far as there is room.
  std::ranges::sort(entries, [](const JournalEntry& a, const JournalEntry& b) {
    return std::tuple(by_place(b.kind), b.until) < std::tuple(by_place(a.kind), a.until);
  });
  const JournalEntry& oldest = entries[count - 1];
  const std::uint64_t until = by_place(oldest.kind) ? last : oldest.until;
  entries.resize(count);
  entries.back() = {0, until, JournalKind::all, 0, 0};
}

// --- files ---

Result<void> Journal::make(const Paths& paths, const Control& control, std::uint64_t number,
                           std::span<const JournalEntry> entries, Sync sync) {
  const std::filesystem::path half_made = paths.v1() / (std::string(k_name) + "new");
  if (Result<void> gone = os::unlink(half_made); !gone) return gone;
  {
    Result<os::File> file = os::File::open(half_made, O_RDWR | O_CREAT | O_EXCL, paths.audience);
    if (!file) return file.error();
    // All of its room at once: a full disk must not keep a removal from being noted.
    if (Result<void> allocated = file->allocate(control.geometry().journal_bytes()); !allocated) {
      static_cast<void>(os::unlink(half_made));
      return allocated;
    }
    const JournalPage page = make_journal_page(control.page().uuid, number);
    const std::uint64_t seed = journal_seed(control.page().uuid, number);
    std::vector<JournalEntry> sealed;
    sealed.reserve(entries.size());
    for (const JournalEntry& entry : entries) {
      sealed.push_back(make_journal_entry(entry.kind, entry.subject, entry.until, seed, sealed.size()));
    }
    const Bytes page_bytes = std::as_bytes(std::span(&page, 1));
    const Bytes entry_bytes = std::as_bytes(std::span(sealed));
    Result<void> written = file->write_at(0, std::span(&page_bytes, 1));
    if (written) written = file->write_at(k_page_bytes, std::span(&entry_bytes, 1));
    if (written && sync == Sync::now) written = file->sync();
    if (!written) return written;
  }
  os::reached("store.journal.made");
  if (Result<void> named = os::rename(half_made, paths.journal(number)); !named) return named;
  return sync == Sync::now ? os::sync_directory(paths.v1()) : Result<void>();
}

Result<void> Journal::look(const Paths& paths, const Control& control) {
  while (true) {
    const std::uint64_t number = control.page().journal_number.load();
    const Result<os::File> file = open_journal(paths, control, number, O_RDWR);
    if (file) return {};
    // Otherwise it was replaced meanwhile.
    if (control.page().journal_number.load() == number) return file.error();
  }
}

Result<Journal::Contents> Journal::read(const Paths& paths, const Control& control, std::uint64_t number,
                                        std::uint64_t count) {
  Contents contents;
  const Result<os::File> file = open_journal(paths, control, number, O_RDONLY);
  if (!file && lost(file.error())) return contents;
  if (!file) return file.error();
  std::vector<JournalEntry> places(count);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(places));
  const Result<std::size_t> got = file->read_at(k_page_bytes, bytes);
  if (!got) return got.error();
  contents.whole = *got == bytes.size();
  if (!contents.whole) return contents;
  const std::uint64_t seed = journal_seed(control.page().uuid, number);
  for (std::uint64_t place = 0; place < places.size(); ++place) {
    switch (check_journal_entry(places[place], seed, place)) {
      case JournalPlace::entry:
        contents.entries.push_back(places[place]);
        break;
      case JournalPlace::damaged:
        contents.whole = false;
        break;
      case JournalPlace::empty:  // not written, or lost with the power before it was synced
        break;
    }
  }
  return contents;
}

Result<Journal::Contents> Journal::read_all(const Paths& paths, const Control& control) {
  const Result<std::vector<std::string>> names = os::list(paths.v1());
  if (!names) return names.error();
  Contents all;
  bool damaged = false;
  for (const std::string& name : *names) {
    std::uint64_t number = 0;
    const std::string_view digits = std::string_view(name).substr(std::min(name.size(), k_name.size()));
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (!name.starts_with(k_name) || failed != std::errc{} || end != digits.data() + digits.size()) continue;
    const Result<Contents> one = read(paths, control, number, control.geometry().journal_entries());
    if (!one && !unreadable(one.error())) return one.error();
    if (one) all.entries.insert(all.entries.end(), one->entries.begin(), one->entries.end());
    all.whole = true;
    damaged |= !one || !one->whole;
  }
  all.whole = all.whole && !damaged;
  return all;
}

// --- appending ---

// The journal's lock. False, and told, if the system refuses it.
class Journal::Lock {
 public:
  explicit Lock(Journal& journal) : file_(*journal.leases_[1]->lock), lock_(journal.mutex_) {
    result_ = file_.file().lock(k_lock_journal);
    if (result_) result_ = journal.follow();
  }
  ~Lock() { file_.unlock(k_lock_journal); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  // Whether it is held, and the file in force is open.
  [[nodiscard]] const Result<void>& result() const noexcept { return result_; }

 private:
  const OwnedLockFile& file_;
  const std::lock_guard<base::Mutex> lock_;
  Result<void> result_;
};

Result<void> Journal::follow() {
  const std::uint64_t number = control_.page().journal_number.load();
  if (file_ != nullptr && number_ == number) return {};
  Result<os::File> file = open_journal(paths_, control_, number, O_RDWR);
  if (!file) return file.error();
  file_ = std::make_shared<const os::File>(*std::move(file));
  number_ = number;
  return {};
}

Journal::Position Journal::append(JournalKind kind, std::uint64_t subject, std::uint64_t until) {
  ControlPage& page = control_.page();
  const auto attempt = [&](bool last) -> Result<Position> {
    const Lock lock(*this);
    if (!lock.result()) return lock.result().error();
    if (last && page.journal_used.load() >= control_.geometry().journal_entries()) {
      // More is hidden than there is room to say: then everything is.
      const JournalEntry everything{0, control_.last_sequence(), JournalKind::all, 0, 0};
      if (Result<void> replaced = replace(std::span(&everything, 1)); !replaced) return replaced.error();
    }
    const std::uint64_t place = page.journal_used.load();
    if (place >= control_.geometry().journal_entries()) return Position{0};
    const JournalEntry entry = make_journal_entry(kind, subject, until, journal_seed(page.uuid, number_), place);
    const Bytes bytes = std::as_bytes(std::span(&entry, 1));
    if (Result<void> written = file_->write_at(offset_of(place), std::span(&bytes, 1)); !written) {
      return written.error();
    }
    page.journal_used.store(place + 1);
    return page.journal_count.fetch_add(1) + 1;
  };
  Result<Position> position = attempt(false);
  if (position && *position == 0) {
    compact();
    position = attempt(true);
  }
  if (!position) {
    trouble_.note(position.error(), paths_.journal(page.journal_number.load()).string());
    control_.raise_floor(by_place(kind) ? control_.last_sequence() : until);
    return 0;
  }
  os::reached("store.journal.written");
  return *position;
}

void Journal::note_record(Location at) {
  if (at.segment >= control_.segments().size()) return;
  note_cleared(JournalKind::record, control_.segment(at.segment).id.load(), at.offset);
}

void Journal::note_segment(std::uint64_t id) {
  note_cleared(JournalKind::segment, id, 0);
}

void Journal::note_cleared(JournalKind kind, std::uint64_t subject, std::uint64_t until) {
  control_.page().forgotten.store(1);
  require(append(kind, subject, until));
}

void Journal::require(Position position) noexcept {
  base::raise(control_.page().journal_cleared, position);
}

void Journal::owe(Position position) noexcept {
  base::raise(control_.page().journal_owed, position);
}

void Journal::sync(Position position) {
  ControlPage& page = control_.page();
  const Position target = std::max(position, page.journal_cleared.load());
  if (durability_ == Durability::relaxed || page.journal_synced.load() >= target) return;
  const std::lock_guard turn(sync_mutex_);
  if (page.journal_synced.load() >= target) return;
  // All that was counted so far is in the file that is in force now, or in one that was synced when it was replaced.
  const Position count = page.journal_count.load();
  std::shared_ptr<const os::File> file;
  Result<void> synced = [&] {
    const Lock lock(*this);
    file = file_;
    return lock.result();
  }();
  if (synced) synced = file->sync();
  // The name of a new store's journal.
  if (synced && page.journal_synced.load() == 0) synced = os::sync_directory(paths_.v1());
  if (!synced) {
    trouble_.note(synced.error(), paths_.journal(page.journal_number.load()).string());
    return;
  }
  base::raise(page.journal_synced, count);
  os::reached("store.journal.synced");
}

// --- compaction ---

Result<void> Journal::begin(const Paths& paths, const Control& control, std::span<const JournalEntry> entries) {
  ControlPage& page = control.page();
  const std::uint64_t number = page.journal_number.load() + 1;
  if (Result<void> made = make(paths, control, number, entries, Sync::now); !made) return made;
  os::reached("store.journal.replaced");
  // In this order: who is killed in between leaves places empty, and overwrites none.
  page.journal_number.store(number);
  page.journal_used.store(entries.size());
  return {};
}

Result<void> Journal::replace(std::span<const JournalEntry> entries) {
  ControlPage& page = control_.page();
  const Position count = page.journal_count.load();
  if (Result<void> begun = begin(paths_, control_, entries); !begun) return begun;
  base::raise(page.journal_synced, count);
  if (const Result<void> gone = os::unlink(paths_.journal(number_)); !gone) {
    trouble_.note(gone.error(), paths_.journal(number_).string());  // who opens the store next tries again
  }
  kept_ = entries.size();
  return follow();
}

Result<void> Journal::try_to_compact() {
  ControlPage& page = control_.page();
  std::uint64_t number = 0;
  std::uint64_t used = 0;
  {
    const Lock lock(*this);
    if (!lock.result()) return lock.result();
    number = number_;
    used = page.journal_used.load();
    kept_ = used;  // if this comes to nothing, not again at once
  }
  Result<Contents> contents = read(paths_, control_, number, used);
  if (!contents) return contents.error();
  if (!contents->whole) return {};
  Hidden hidden(std::move(contents->entries));
  // Tags' generations are in `gen`, which is older than none of these entries.
  const Result<os::File> gen = os::File::open(paths_.gen(), O_RDWR);
  if (!gen) return gen.error();
  if (Result<void> synced = gen->sync(); !synced) return synced;
  // A record that is on its way is not in its segment yet, and may have got its number before its key was removed.
  std::set<std::uint64_t> marks;
  for (const SegmentEntry& entry : control_.segments()) marks.insert(entry.publishing.load());
  for (const SegmentEntry& entry : control_.segments()) {
    const std::uint64_t id = entry.id.load();
    if (id == 0) continue;
    if (!alive(entry.state.load())) {
      hidden.keep_segment(id);
      continue;
    }
    const Result<std::optional<Salvaged>> segment = salvage(paths_, control_, id);
    if (!segment && segment.error().code() != Errc::not_found) return segment.error();
    if (!segment || !*segment) continue;
    for (const FooterItem& item : (*segment)->items) static_cast<void>(hidden.hides(id, item));
  }
  // A segment's name must not come back with the power, its records hidden by nothing.
  if (Result<void> synced = os::sync_directory(paths_.segments()); !synced) return synced;

  const Lock lock(*this);
  if (!lock.result()) return lock.result();
  if (number_ != number) return {};
  std::vector<JournalEntry> entries = hidden.needed(marks);
  shorten(entries, control_.geometry().journal_entries() / 2, control_.last_sequence());
  std::vector<JournalEntry> newer(page.journal_used.load() - used);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(newer));
  const Result<std::size_t> got = file_->read_at(offset_of(used), bytes);
  if (!got) return got.error();
  if (*got != bytes.size()) return {};
  entries.insert(entries.end(), newer.begin(), newer.end());
  return replace(entries);
}

void Journal::compact() {
  const Result<void> done = try_to_compact();
  if (!done) trouble_.note(done.error(), paths_.journal(control_.page().journal_number.load()).string());
}

Journal::Contents Journal::contents() const {
  while (true) {
    const std::uint64_t number = control_.page().journal_number.load();
    const Result<Contents> contents = read(paths_, control_, number, control_.geometry().journal_entries());
    if (control_.page().journal_number.load() == number) return contents ? *contents : Contents();
  }
}

bool Journal::renew(std::vector<JournalEntry> entries) {
  const Lock lock(*this);
  Result<void> renewed = lock.result();
  if (renewed) {
    const Result<Contents> old = read(paths_, control_, number_, control_.page().journal_used.load());
    if (old) {
      entries.insert(entries.end(), old->entries.begin(), old->entries.end());
      shorten(entries, control_.geometry().journal_entries() / 2, control_.last_sequence());
    }
    renewed = old ? replace(entries) : old.error();
  }
  if (!renewed) trouble_.note(renewed.error(), paths_.journal(control_.page().journal_number.load()).string());
  return renewed.has_value();
}

void Journal::maintain() {
  const std::uint64_t used = control_.page().journal_used.load();
  {
    const std::lock_guard lock(mutex_);
    if (used < control_.geometry().journal_entries() / 2 || used < 2 * kept_) return;
  }
  compact();
}

}  // namespace larder::store
