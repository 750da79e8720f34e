#include "store/reclaimer.hpp"

#include <fcntl.h>
#include <algorithm>
#include <cmath>
#include <optional>

#include "base/clock.hpp"
#include "store/parts.hpp"
#include "store/salvage.hpp"

namespace larder::store {

namespace {

// Of how many segments the least worthy one goes.
constexpr std::size_t k_choice = 4;

// How often it may be another one.
constexpr int k_passed_over_max = 8;

// At most this part of a victim is written once more. So of what is written to the store at most a quarter is copies,
// whatever the load: a third of what is put.
constexpr std::uint64_t k_kept_part_max = 4;

// How many of a segment's records are looked at to choose between segments.
constexpr std::size_t k_sample = 256;

// compact() frees segments of which at least this part is dead.
constexpr std::uint64_t k_dead_part_min = 4;

constexpr std::uint64_t k_populate_step = std::uint64_t{4} << 20;

// What its hits so far saved. What was put without a cost comes after all that has one.
double saved_by(const RecordView& record, std::uint64_t word) {
  return static_cast<double>(std::max<std::uint64_t>(record.cost_ns, 1)) * static_cast<double>(slot_hits(word));
}

}  // namespace

class Reclaimer::Turn {
 public:
  enum class If : std::uint8_t { free, waited };
  Turn(Reclaimer& reclaimer, If wanted) : file_(*reclaimer.leases_[2]->lock), lock_(reclaimer.mutex_, std::defer_lock) {
    if (wanted == If::waited) {
      lock_.lock();
    } else if (!lock_.try_lock()) {
      return;
    }
    Result<bool> locked = true;
    if (wanted == If::free) {
      locked = file_.file().try_lock(k_lock_reclaim);
    } else if (const Result<void> waited = file_.file().lock(k_lock_reclaim); !waited) {
      locked = waited.error();
    }
    held_ = locked && *locked;
    if (!locked) reclaimer.trouble_.note(locked.error(), "locks");
  }
  ~Turn() {
    if (held_) file_.unlock(k_lock_reclaim);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  explicit operator bool() const noexcept { return held_; }

 private:
  const OwnedLockFile& file_;
  std::unique_lock<base::Mutex> lock_;
  bool held_ = false;
};

void Reclaimer::work_ahead() {
  const auto lacking = [&](std::uint64_t more) { return space_.free_bytes() + more < space_.reserve_bytes(); };
  if (!lacking(0)) return;
  const Turn turn(*this, Turn::If::free);
  if (!turn) return;
  space_.settle();
  while (lacking(space_.pending()) && reclaim_one()) continue;
  exhausted_.store(lacking(0), std::memory_order_relaxed);
}

std::vector<Reclaimer::Victim> Reclaimer::few_oldest() {
  std::vector<Victim> few;
  std::map<std::uint64_t, int> passed_over;
  const std::uint64_t pending = space_.pending();
  const std::int64_t now_ms = index_.now_ms();
  std::size_t chosen = 0;
  for (const std::uint32_t slot : space_.oldest()) {
    const SegmentEntry& entry = control_.segment(slot);
    const std::uint64_t id = entry.id.load();
    // One that is open may be held by somebody, which is seen when it is leased: it counts for none of the few.
    const bool sealed = entry.state.load() == SegmentState::sealed;
    const bool lasts = entry.lasts(now_ms);
    if ((!sealed && lasts) || !space_.may_retire(slot, pending)) continue;
    // What is worth more than others counts for less every time, and goes in the end: its hits may be of long ago.
    const auto passed = passed_over_.find(id);
    const int times = passed == passed_over_.end() ? 0 : passed->second;
    passed_over[id] = times + 1;
    const double worth = lasts ? sample(slot, id) : 0;
    few.push_back({slot, id, worth, times < k_passed_over_max ? std::ldexp(worth, -times) : 0});
    if (sealed && ++chosen == k_choice) break;
  }
  passed_over_.swap(passed_over);
  std::ranges::stable_sort(few, {}, &Victim::aged_worth);
  return few;
}

// By the footer and the index, which tell most records that are worth nothing from the others; of these only the heads
// are read, and what lies around them.
double Reclaimer::sample(std::uint32_t slot, std::uint64_t id) {
  const Segments::Pin pin = segments_.pin(slot);
  const Result<std::optional<Salvaged>> salvaged = salvage(paths_, control_, id);
  if (!pin || !salvaged || !*salvaged) return 0;
  const std::vector<FooterItem>& items = (*salvaged)->items;
  const std::int64_t now_ms = index_.now_ms();
  std::uint64_t bytes = 0;
  double saved = 0;
  for (std::size_t i = 0; i < items.size(); i += 1 + items.size() / k_sample) {
    const FooterItem& item = items[i];
    bytes += (i + 1 < items.size() ? items[i + 1].offset : (*salvaged)->committed) - item.offset;
    const Slots::Lead lead = index_.slots().published(item.fingerprint, {slot, item.offset});
    if (slot_hits(lead.word) == 0 || item.expires_ms <= now_ms) continue;
    const std::optional<RecordView> record = pin.record(item.offset);
    if (record && index_.fresh(*record)) saved += saved_by(*record, lead.word);
  }
  return bytes == 0 ? 0 : saved / static_cast<double>(bytes);
}

bool Reclaimer::reclaim_one() {
  const std::vector<Victim> few = few_oldest();
  for (const Victim& victim : few) {
    if (!space_.lease_victim(victim.slot, victim.id)) continue;
    const SegmentEntry& entry = control_.segment(victim.slot);
    const bool single = entry.kind.load() == SegmentKind::single;
    if (single && std::ranges::any_of(few, [&](const Victim& other) { return other.worth < victim.worth; })) {
      keep_where_it_is(victim);
      continue;
    }
    Compacted done;
    const bool lasts = entry.lasts(index_.now_ms());
    if (lasts && entry.state.load() != SegmentState::sealed) {
      space_.spare_victim(victim.slot);  // somebody has written to it since
      continue;
    }
    if (const Segments::Pin pin = segments_.pin(victim.slot); pin && !single && lasts) {
      Contents contents = read(pin, victim.slot);
      std::ranges::sort(contents.living, std::ranges::greater(), &Living::worth);
      std::uint64_t room = contents.bytes / k_kept_part_max;
      std::erase_if(contents.living, [&room](const Living& living) {
        if (living.worth == 0 || living.bytes > room) return true;
        room -= living.bytes;
        return false;
      });
      give_up(victim.slot);
      move(pin, victim.slot, std::move(contents.living), done);
    } else {
      give_up(victim.slot);
    }
    free(victim.slot, done);
    passed_over_.erase(victim.id);
    return true;
  }
  return false;
}

// A large value whose turn it would be is not copied: its segment goes to the end of the queue, and the value has to be
// used again to stay for long.
void Reclaimer::keep_where_it_is(const Victim& victim) {
  if (const Segments::Pin pin = segments_.pin(victim.slot)) {
    if (const std::optional<RecordView> record = pin.record(sizeof(SegmentHeader))) {
      const Slots::Lead lead = index_.slots().published(record->header.fingerprint, {victim.slot, record->offset});
      if (lead.slot != nullptr) Slots::replace(*lead.slot, lead.word, halve_hits);
    }
  }
  control_.segment(victim.slot).last_sequence.store(control_.last_sequence());
  space_.spare_victim(victim.slot);
}

Reclaimer::Contents Reclaimer::read(const Segments::Pin& pin, std::uint32_t slot) {
  Contents contents;
  const Bytes bytes = pin.bytes();
  const bool single = control_.segment(slot).kind.load() == SegmentKind::single;
  if (single) static_cast<void>(pin.record(sizeof(SegmentHeader)));
  for (std::uint64_t at = 0; at < bytes.size() && !single; at += k_populate_step) {
    const Bytes step = bytes.subspan(at, std::min<std::uint64_t>(k_populate_step, bytes.size() - at));
    if (const Result<void> ready = pin.populate(step); !ready) {
      trouble_.note(ready.error(), pin.path());
      return contents;
    }
  }
  const std::uint64_t end = walk_records(bytes, pin.seed(), [&](const RecordView& record) {
    if (record.header.kind != Kind::value) return;
    const std::uint64_t size = record.end - record.offset;
    contents.bytes += size;
    const Slots::Lead lead = index_.slots().published(record.header.fingerprint, {slot, record.offset});
    if (lead.slot == nullptr || !index_.fresh(record)) return;
    // Where it will lie, more may be needed to align it.
    const std::uint64_t copy = size + (record.value.size() >= k_page_aligned_bytes_min ? k_page_bytes : 0);
    contents.living_bytes += copy;
    contents.living.push_back({record.offset, copy, saved_by(record, lead.word) / static_cast<double>(copy)});
  });
  contents.whole = end == bytes.size();
  return contents;
}

void Reclaimer::give_up(std::uint32_t slot) {
  SegmentEntry& entry = control_.segment(slot);
  // What anybody appended to it would be gone as well.
  entry.state.store(SegmentState::sealed);
  journal_.note_segment(entry.id.load());
  os::reached("store.reclaim.noted");
}

bool Reclaimer::move(const Segments::Pin& pin, std::uint32_t slot, std::vector<Living> records, Compacted& done) {
  std::set<std::uint64_t> into;
  std::ranges::sort(records, {}, &Living::offset);
  for (const Living& living : records) {
    const std::optional<RecordView> record = read_record(pin.bytes(), pin.seed(), living.offset);
    if (!record || !valid_value(*record, record->value)) {
      trouble_.note(Counter::fault_damaged_record, pin.path(),
                    pin.path() + ": the record at offset " + std::to_string(living.offset) +
                        " is damaged, and left behind when its segment is reclaimed");
      continue;
    }
    const Meta meta = meta_of(*record);
    const std::vector<Digest> chunks = digest_chunks(std::span(&record->value, 1), record->value.size());
    RecordParts parts = parts_of(record->header.fingerprint, record->key, meta);
    parts.sequence = record->header.sequence;
    parts.value_bytes = record->value.size();
    parts.chunks = chunks;
    switch (appender_.move(parts, record->value, {slot, living.offset}, into)) {
      case Appender::Moved::done:
        ++done.records;
        done.bytes_rewritten += record->end - record->offset;
        break;
      case Appender::Moved::gone:
        break;
      case Appender::Moved::refused:
        sync(into);
        return false;
    }
  }
  sync(into);
  return true;
}

// What was on disk long since is to be there again before the original goes.
void Reclaimer::sync(const std::set<std::uint64_t>& segments) {
  for (const std::uint64_t id : segments) {
    const std::filesystem::path path = paths_.segment(id);
    const Result<os::File> file = os::File::open(path, O_RDWR);
    const Result<void> synced = file ? file->sync() : file.error();
    const bool freed = !synced && synced.error().code() == Errc::not_found;  // by another process: all of it was over
    if (!synced && !freed) trouble_.note(synced.error(), path.string());
  }
  os::reached("store.reclaim.synced");
}

void Reclaimer::free(std::uint32_t slot, Compacted& done) {
  ++done.segments;
  done.bytes_freed += control_.segment(slot).reserved.load();
  space_.free_victim(slot);
}

Compacted Reclaimer::compact(const std::function<void(std::uint64_t done, std::uint64_t all)>& progress) {
  Compacted result;
  const Turn turn(*this, Turn::If::waited);
  if (!turn) return result;
  appender_.give_up(INT64_MAX);
  space_.settle();
  struct Segment {
    std::uint32_t slot;
    std::uint64_t id;
    std::uint64_t bytes;
  };
  std::vector<Segment> segments;
  std::uint64_t all = 0;
  for (const std::uint32_t slot : space_.oldest()) {
    const SegmentEntry& entry = control_.segment(slot);
    segments.push_back({slot, entry.id.load(), entry.committed.load()});
    all += segments.back().bytes;
  }
  // Those that could still be appended to first: what is written once more must not go there, and again from there.
  std::ranges::stable_partition(segments, [&](const Segment& segment) {
    return control_.segment(segment.slot).state.load() == SegmentState::open;
  });
  std::uint64_t looked_at = 0;
  for (const Segment& segment : segments) {
    if (space_.may_retire(segment.slot, space_.pending()) && space_.lease_victim(segment.slot, segment.id)) {
      if (!compact_one(segment.slot, result)) space_.spare_victim(segment.slot);
    }
    looked_at += segment.bytes;
    if (progress) progress(looked_at, all);
  }
  return result;
}

// False if the segment stays.
bool Reclaimer::compact_one(std::uint32_t slot, Compacted& done) {
  {
    const Segments::Pin pin = segments_.pin(slot);
    if (!pin) return false;
    Contents contents = read(pin, slot);
    const bool worth_it =
        contents.bytes - std::min(contents.bytes, contents.living_bytes) >= contents.bytes / k_dead_part_min;
    // The segments that take the copies grow by steps, and have footers.
    const std::uint64_t needed =
        contents.living.empty() ? 0 : contents.living_bytes + control_.page().segment_bytes / 4;
    if (!contents.whole || contents.bytes == 0 || !worth_it || space_.free_bytes() < needed) return false;
    give_up(slot);
    // What is left behind, because others were faster to take the room, is found until the machine restarts.
    if (!move(pin, slot, std::move(contents.living), done)) return false;
  }
  free(slot, done);
  return true;
}

}  // namespace larder::store
