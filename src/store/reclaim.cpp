#include "store/reclaim.hpp"

#include <fcntl.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "base/bits.hpp"
#include "base/clock.hpp"
#include "store/salvage.hpp"

namespace larder::store {

namespace {

// Segments that are retired but mapped by somebody do not give their room back yet. Retiring more and
// more of them would empty the store without making room: beyond this part of the limit only segments
// that nobody maps are retired.
constexpr std::uint64_t k_pending_part_max = 8;

// Processes unmap what is retired when they next look something up, or within about a second. Busy ones
// are worth waiting for; the budget lock is not held meanwhile.
constexpr int k_attempts = 20;
constexpr auto k_attempt_pause = std::chrono::milliseconds(1);

// What is mapped although nobody pins it is held by a process that was killed, until the system has taken back what it
// had: that room is not there yet. Or by a forked child, for as long as it likes: that is waited for no longer than so.
constexpr std::uint64_t k_linger_ns = 10'000'000'000;

// Kept free ahead of need: this part of the limit, two segments at least, and never more than a quarter of what the
// segments may take.
constexpr std::uint64_t k_reserve_part = 16;
constexpr std::uint64_t k_reserve_segments_min = 2;
constexpr std::uint64_t k_reserve_part_max = 4;

// Of as many segments as the limit has room for, so many may be open before lifetimes are mixed.
constexpr std::uint64_t k_open_part_max = 4;

}  // namespace

Space::Budget::Budget(Space& space) : space_(space), lock_(space.mutex_) {
  const Result<void> locked = space_.leases_[0]->lock->file().lock(k_lock_budget);
  held_ = locked.has_value();
  if (!locked) space_.trouble_.note(locked.error(), "locks");
}

Space::Budget::~Budget() {
  if (held_) space_.leases_[0]->lock->unlock(k_lock_budget);
}

std::uint64_t Space::bytes_used() const noexcept {
  std::uint64_t sum = control_.overhead_bytes();
  for (const SegmentEntry& entry : control_.segments()) sum += entry.reserved.load(std::memory_order_relaxed);
  return sum;
}

bool Space::has_room(std::uint64_t bytes, bool entry_needed) const noexcept {
  return bytes_used() + bytes <= control_.page().limit.load() && (!entry_needed || free_slot().has_value());
}

bool Space::could_hold(std::uint64_t bytes) const noexcept {
  return control_.overhead_bytes() + bytes <= control_.page().limit.load();
}

std::optional<std::uint32_t> Space::free_slot() const noexcept {
  const std::span<SegmentEntry> all = control_.segments();
  for (std::uint32_t slot = 0; slot < all.size(); ++slot) {
    if (all[slot].state.load() == SegmentState::free && all[slot].id.load() == 0) return slot;
  }
  return std::nullopt;
}

std::uint64_t Space::free_bytes() const noexcept {
  const std::uint64_t limit = control_.page().limit.load();
  return limit - std::min(limit, bytes_used());
}

bool Space::crowded() const noexcept {
  const std::uint64_t most = control_.page().limit.load() / control_.page().segment_bytes / k_open_part_max;
  const auto open = std::ranges::count_if(control_.used_segments(), [](const SegmentEntry& entry) {
    return entry.state.load(std::memory_order_relaxed) == SegmentState::open &&
           entry.kind.load(std::memory_order_relaxed) == SegmentKind::shared;
  });
  return static_cast<std::uint64_t>(open) >= most;
}

std::uint64_t Space::reserve_bytes() const noexcept {
  const std::uint64_t limit = control_.page().limit.load();
  const std::uint64_t for_segments = limit - std::min(limit, control_.overhead_bytes());
  return std::min(std::max(limit / k_reserve_part, k_reserve_segments_min * control_.page().segment_bytes),
                  for_segments / k_reserve_part_max);
}

std::vector<std::uint32_t> Space::oldest() const {
  struct Aged {
    bool lasts;
    std::uint64_t last_sequence;
    std::uint64_t id;  // a copy is younger than its original, although no number was given out in between
    std::uint32_t slot;
    auto operator<=>(const Aged&) const = default;
  };
  std::vector<Aged> aged;
  const std::int64_t now_ms = index_.now_ms();
  const std::span<SegmentEntry> all = control_.segments();
  for (std::uint32_t slot = 0; slot < all.size(); ++slot) {
    const SegmentEntry& entry = all[slot];
    if (!alive(entry.state.load())) continue;
    aged.push_back({entry.lasts(now_ms), entry.last_sequence.load(), entry.id.load(), slot});
  }
  std::ranges::sort(aged);
  std::vector<std::uint32_t> slots;
  slots.reserve(aged.size());
  for (const Aged& one : aged) slots.push_back(one.slot);
  return slots;
}

std::uint64_t Space::pending() const noexcept {
  std::uint64_t sum = 0;
  for (const SegmentEntry& entry : control_.segments()) sum += alive(entry.state.load()) ? 0 : entry.reserved.load();
  return sum;
}

std::uint64_t Space::pending_max() const noexcept {
  return control_.page().limit.load() / k_pending_part_max;
}

bool Space::may_retire(std::uint32_t slot, std::uint64_t pending) const noexcept {
  return pending + control_.segment(slot).reserved.load() <= pending_max() || !segments_.pinned(slot);
}

bool Space::find_room(std::uint64_t bytes, bool entry_needed, Room room) {
  const bool found = room == Room::made ? make_room(bytes, entry_needed) : has_room(bytes, entry_needed);
  room_is_low_.store(!has_room(bytes + reserve_bytes(), entry_needed), std::memory_order_relaxed);
  return found;
}

bool Space::make_room(std::uint64_t bytes, bool entry_needed) {
  finish_retired();
  if (has_room(bytes, entry_needed)) return true;
  std::uint64_t waiting = pending();
  const std::span<SegmentEntry> all = control_.segments();
  for (const std::uint32_t slot : oldest()) {
    const std::uint64_t reserved = all[slot].reserved.load();
    if (!may_retire(slot, waiting) || !take_lease(slot)) continue;
    if (alive(all[slot].state.load())) retire(slot);
    drop_lease(slot);
    finish(slot);
    if (all[slot].id.load() != 0) waiting += reserved;
    if (has_room(bytes, entry_needed)) return true;
    // Retiring more would give no room either, for a moment.
    if (waiting > pending_max() && lingers()) break;
  }
  control_.page().cramped.fetch_add(1);
  return false;
}

bool Space::take_lease(std::uint32_t slot) {
  if (leased_.contains(slot)) return false;
  const Result<bool> locked = append_lock(leases_, slot).file().try_lock(k_lock_append + slot);
  if (!locked) trouble_.note(locked.error(), "locks");
  if (!locked || !*locked) return false;
  leased_.insert(slot);
  return true;
}

void Space::drop_lease(std::uint32_t slot) {
  leased_.erase(slot);
  append_lock(leases_, slot).unlock(k_lock_append + slot);
}

void Space::bury(const Writable& segment) {
  SegmentEntry& entry = control_.segment(segment.slot);
  const std::uint64_t offset = entry.publishing_at.load();
  if (offset < entry.committed.load()) {
    const Segments::Pin pin = segments_.pin(segment.slot);
    const auto record = pin ? pin.record(offset) : std::nullopt;
    const Location at{segment.slot, offset};
    if (!record || !index_.slots().lead_to(record->header.fingerprint, at)) journal_.note_record(at);
  } else {
    // Written whole maybe, but not committed; and this writer may die, too, before it overwrites it. Synced, since the
    // power could undo that, after the key was removed by somebody who knew nothing of this record.
    const std::array<std::byte, k_record_align> zeros{};
    const Bytes bytes(zeros);
    Result<void> wiped = segment.file.write_at(entry.committed.load(), std::span(&bytes, 1));
    if (wiped) wiped = segment.file.sync();
    if (!wiped) trouble_.note(wiped.error(), segment.file.path());
  }
  entry.publishing.store(0);
}

// A copy of an old record may be among what a killed writer left: who puts its key anew, when the slot of the original
// is gone, would not know of it.
void Space::bury_the_dead() {
  const std::span<SegmentEntry> all = control_.segments();
  for (std::uint32_t slot = 0; slot < all.size(); ++slot) {
    SegmentEntry& entry = all[slot];
    const auto left = [&] { return entry.publishing.load() != 0 && alive(entry.state.load()); };
    if (!left() || !take_lease(slot)) continue;
    if (left()) {
      const Result<Writable> leased = open_leased(slot, O_RDWR);
      if (leased) {
        bury(*leased);
      } else {
        trouble_.note(leased.error(), paths_.segment(entry.id.load()).string());
      }
    }
    drop_lease(slot);
  }
}

void Space::retire(std::uint32_t slot) {
  bury_the_dead();
  // The power could undo the unlinking.
  journal_.note_segment(control_.segment(slot).id.load());
  mark_retired(slot);
}

void Space::mark_retired(std::uint32_t slot) {
  control_.segment(slot).state.store(SegmentState::retired);
  control_.page().retired.fetch_add(1);
  trouble_.count(Counter::segments_reclaimed);
  os::reached("store.reclaim.retired");
}

bool Space::lease_victim(std::uint32_t slot, std::uint64_t id) {
  const Budget budget(*this);
  if (!budget) return false;
  bury_the_dead();
  const SegmentEntry& entry = control_.segment(slot);
  const auto there = [&] { return entry.id.load() == id && alive(entry.state.load()); };
  if (!there() || !take_lease(slot)) return false;
  if (there()) return true;
  drop_lease(slot);
  return false;
}

void Space::spare_victim(std::uint32_t slot) {
  const std::lock_guard lock(mutex_);
  drop_lease(slot);
}

void Space::free_victim(std::uint32_t slot) {
  {
    const Budget budget(*this);
    if (!budget) return drop_lease(slot);
    mark_retired(slot);
  }
  // Without the budget lock: for this, nobody is to wait. The lease keeps others from finishing it meanwhile.
  clear_slots_of(slot);
  os::reached("store.reclaim.cleared");
  const Budget budget(*this);
  drop_lease(slot);
  if (budget) finish_cleared(slot);
}

void Space::clear_slots_of(std::uint32_t slot) {
  const SegmentEntry& entry = control_.segment(slot);
  const std::uint64_t committed = entry.committed.load();
  if (committed <= sizeof(SegmentHeader)) return;
  const Result<std::optional<Salvaged>> segment = salvage(paths_, control_, entry.id.load());
  if (segment && *segment && (*segment)->committed >= committed) {
    for (const FooterItem& item : (*segment)->items) index_.slots().forget(item.fingerprint, {slot, item.offset});
    return;
  }
  if (!segment) trouble_.note(segment.error(), paths_.segment(entry.id.load()).string());
  index_.slots().forget_segment(slot);
}

void Space::finish(std::uint32_t slot) {
  if (control_.segment(slot).state.load() == SegmentState::retired) {
    clear_slots_of(slot);
    os::reached("store.reclaim.cleared");
  }
  finish_cleared(slot);
}

void Space::finish_cleared(std::uint32_t slot) {
  SegmentEntry& entry = control_.segment(slot);
  if (entry.state.load() == SegmentState::retired) {
    entry.publishing.store(0);
    entry.publishing_at.store(0);
    entry.state.store(SegmentState::cleared);
  }
  if (entry.state.load() != SegmentState::cleared || !let_go(slot)) return;
  const std::filesystem::path path = paths_.segment(entry.id.load());
  if (const Result<void> gone = os::unlink(path); !gone) {
    trouble_.note(gone.error(), path.string());
    return;
  }
  os::reached("store.reclaim.unlinked");
  entry.reserved.store(0);
  entry.id.store(0);
  os::reached("store.reclaim.freed");
  entry.state.store(SegmentState::free);
}

bool Space::let_go(std::uint32_t slot) {
  SegmentEntry& entry = control_.segment(slot);
  std::atomic<std::uint64_t>& since_ns = entry.publishing_at;
  // Its own mapping first: somebody else who maps it may be waiting for that.
  if (!segments_.close(slot) || segments_.pinned(slot)) {
    since_ns.store(0);
    return false;
  }
  if (!os::in_use(paths_.segment(entry.id.load()))) return true;
  const auto now_ns = static_cast<std::uint64_t>(base::monotonic_ns());
  if (since_ns.load() == 0 || since_ns.load() > now_ns) since_ns.store(now_ns);
  return now_ns - since_ns.load() >= k_linger_ns;
}

// Whether what is cleared waits for others than those who pin it.
bool Space::lingers() const noexcept {
  for (std::uint32_t slot = 0; slot < control_.segments().size(); ++slot) {
    if (control_.segment(slot).state.load() == SegmentState::cleared && !segments_.pinned(slot)) return true;
  }
  return false;
}

void Space::finish_retired() {
  sweep_half_made();
  for (std::uint32_t slot = 0; slot < control_.segments().size(); ++slot) {
    const SegmentState state = control_.segment(slot).state.load(std::memory_order_relaxed);
    if (state == SegmentState::cleared) finish(slot);
    if (state != SegmentState::retired || !take_lease(slot)) continue;
    finish(slot);
    drop_lease(slot);
  }
}

void Space::sweep_half_made() {
  std::atomic<std::uint64_t>& making = control_.page().making;
  const std::uint64_t id = making.load();
  if (id == 0) return;
  const bool made = std::ranges::any_of(control_.segments(), [&](const SegmentEntry& entry) {
    return entry.id.load() == id && entry.state.load() != SegmentState::free;
  });
  if (!made) {
    if (const Result<void> gone = os::unlink(paths_.segment(id)); !gone) {
      trouble_.note(gone.error(), paths_.segment(id).string());
      return;
    }
    for (SegmentEntry& entry : control_.segments()) {
      if (entry.id.load() != id) continue;
      entry.reserved.store(0);
      entry.id.store(0);
    }
  }
  making.store(0);
}

template <class Try>
auto Space::patiently(const Try& attempt) {
  auto granted = attempt();
  for (int i = 0; i < k_attempts && !granted.value && granted.refusal == Put::no_room; ++i) {
    std::this_thread::sleep_for(k_attempt_pause);
    granted = attempt();
  }
  return granted;
}

Space::Granted<Writable> Space::lease_shared(const std::function<bool(const SegmentEntry&)>& fits, Room room) {
  if (room == Room::spare) return try_lease_shared(fits, room);
  return patiently([&] { return try_lease_shared(fits, room); });
}

Space::Granted<Writable> Space::try_lease_shared(const std::function<bool(const SegmentEntry&)>& fits, Room room) {
  const Budget budget(*this);
  if (!budget) return {};
  const std::span<SegmentEntry> all = control_.segments();
  for (std::uint32_t slot = 0; slot < all.size(); ++slot) {
    SegmentEntry& entry = all[slot];
    const auto usable = [&] {
      return entry.state.load() == SegmentState::open && entry.kind.load() == SegmentKind::shared && fits(entry);
    };
    if (!usable() || !take_lease(slot)) continue;
    if (usable()) {
      Result<Writable> leased = open_leased(slot, O_RDWR);
      if (leased) {
        if (entry.publishing.load() != 0) bury(*leased);
        return {*std::move(leased)};
      }
      trouble_.note(leased.error(), paths_.segment(entry.id.load()).string());
      if (leased.error().code() == Errc::not_found) retire(slot);
    }
    drop_lease(slot);
  }
  return make_segment(SegmentKind::shared, control_.page().segment_bytes / 16, room);
}

Space::Granted<Writable> Space::lease_single(std::uint64_t bytes) {
  const std::uint64_t charged = base::align_up(bytes, k_page_bytes);
  if (!could_hold(charged)) return {std::nullopt, Put::too_large};
  return patiently([&]() -> Granted<Writable> {
    const Budget budget(*this);
    if (!budget) return {};
    return make_segment(SegmentKind::single, charged, Room::made);
  });
}

Result<Writable> Space::open_leased(std::uint32_t slot, int flags) {
  const std::uint64_t id = control_.segment(slot).id.load();
  Result<os::File> file = os::File::open(paths_.segment(id), flags, paths_.audience);
  if (!file) return file.error();
  if (Result<void> marked = file->mark_in_use(); !marked) return marked.error();
  return Writable{slot, id, segment_seed(control_.page().uuid, id), *std::move(file)};
}

Space::Granted<Writable> Space::make_segment(SegmentKind kind, std::uint64_t bytes, Room room) {
  if (!find_room(bytes, true, room)) return {std::nullopt, Put::no_room};
  // A free entry whose lease is held belongs to a writer that is just letting go: take the next one.
  const std::span<SegmentEntry> all = control_.segments();
  std::uint32_t slot = 0;
  while (slot < all.size() &&
         !(all[slot].state.load() == SegmentState::free && all[slot].id.load() == 0 && take_lease(slot))) {
    ++slot;
  }
  if (slot == all.size()) return {};
  const std::uint64_t id = control_.page().next_segment_id.fetch_add(1);
  control_.page().making.store(id);
  os::reached("store.segment.numbered");
  SegmentEntry& entry = all[slot];
  entry.id.store(id);
  entry.reserved.store(bytes);
  const auto undo = [&](const Error& error) -> Granted<Writable> {
    trouble_.note(error, paths_.segment(id).string());
    sweep_half_made();
    drop_lease(slot);
    return {};
  };
  Result<Writable> leased = open_leased(slot, O_RDWR | O_CREAT | O_EXCL);
  if (!leased) return undo(leased.error());
  const SegmentHeader header = make_segment_header(control_.page().uuid, id);
  const Bytes header_bytes = std::as_bytes(std::span(&header, 1));
  if (Result<void> written = leased->file.write_at(0, std::span(&header_bytes, 1)); !written) {
    return undo(written.error());
  }
  os::reached("store.segment.made");
  entry.kind.store(kind);
  entry.committed.store(sizeof header);
  entry.last_sequence.store(0);
  entry.records.store(0);
  entry.lasts_until.store(k_lasts_unknown);
  entry.publishing.store(0);
  entry.state.store(SegmentState::open);
  control_.page().making.store(0);
  os::reached("store.segment.listed");
  return {*std::move(leased)};
}

Space::Granted<bool> Space::reserve(const Writable& segment, std::uint64_t bytes, Room room) {
  SegmentEntry& entry = control_.segment(segment.slot);
  if (entry.reserved.load() >= bytes) return {true};
  if (!could_hold(bytes)) return {std::nullopt, Put::too_large};
  const auto attempt = [&]() -> Granted<bool> {
    const Budget budget(*this);
    if (!budget) return {};
    const std::uint64_t segment_bytes = control_.page().segment_bytes;
    // A large value that grows: in larger steps, and up to the last byte of the limit.
    const std::uint64_t wanted = entry.kind.load() == SegmentKind::single
                                     ? std::max(base::align_up(bytes, k_page_bytes),
                                                std::min(base::align_up(bytes, segment_bytes / 4),
                                                         control_.page().limit.load() - control_.overhead_bytes()))
                                     : std::min(base::align_up(bytes, segment_bytes / 16), segment_bytes);
    if (!find_room(wanted - entry.reserved.load(), false, room)) return {std::nullopt, Put::no_room};
    entry.reserved.store(wanted);
    return {true};
  };
  return room == Room::spare ? attempt() : patiently(attempt);
}

void Space::release(Writable segment) {
  segment.file = os::File();
  const std::lock_guard lock(mutex_);
  drop_lease(segment.slot);
}

void Space::discard(Writable segment) {
  segment.file = os::File();
  const Budget budget(*this);
  if (budget) retire(segment.slot);
  drop_lease(segment.slot);
  if (budget) finish(segment.slot);
}

void Space::grow_index() {
  const Budget budget(*this);
  if (!budget || !index_.full()) return;
  const IndexShape now = index_.slots().shape();
  IndexShape twice = now;
  ++twice.log2;
  if (!make_room(twice.bytes() - now.bytes(), false)) return;
  if (Result<void> grown = store::grow_index(paths_, twice); !grown) {
    trouble_.note(grown.error(), paths_.index(now.number).string());
    return;
  }
  os::reached("store.index.grown");
  control_.page().index.store(twice.word());
}

bool Space::free_empty(std::uint32_t slot, std::uint64_t id) {
  const Budget budget(*this);
  if (!budget || !take_lease(slot)) return false;
  const SegmentEntry& entry = control_.segment(slot);
  const bool empty = entry.id.load() == id && alive(entry.state.load()) && !index_.slots().lead_from({slot, 0});
  if (empty) retire(slot);
  drop_lease(slot);
  if (empty) finish(slot);
  return empty;
}

std::uint64_t Space::clear_stale_slots() {
  // Under the budget lock no segment begins to live: a slot that leads to none is not about to lead to one.
  const Budget budget(*this);
  if (!budget) return 0;
  finish_retired();
  std::uint64_t count = 0;
  for (Slot& slot : index_.slots().all()) {
    const std::uint64_t word = slot.load();
    const std::uint32_t segment = slot_location(word).segment;
    if (word == 0 || (segment < control_.segments().size() && alive(control_.segment(segment).state.load()))) continue;
    Slots::drop(slot, word);
    ++count;
  }
  return count;
}

Space::Strays Space::delete_strays() {
  Strays strays;
  // Under the budget lock nobody is making a segment.
  const Budget budget(*this);
  if (!budget) return strays;
  sweep_half_made();
  const Result<std::vector<std::string>> names = os::list(paths_.segments());
  if (!names) {
    trouble_.note(names.error(), paths_.segments().string());
    return strays;
  }
  for (const std::string& name : *names) {
    const std::string path = (paths_.segments() / name).string();
    const std::optional<std::uint64_t> id = segment_id_of(name);
    if (!id && !os::half_made(name)) {
      strays.unknown.push_back(path);
      continue;
    }
    if (id &&
        std::ranges::any_of(control_.segments(), [&](const SegmentEntry& entry) { return entry.id.load() == *id; })) {
      continue;
    }
    if (const Result<void> gone = os::unlink(path); !gone) {
      trouble_.note(gone.error(), path);
      continue;
    }
    strays.deleted.push_back(path);
  }
  return strays;
}

void Space::settle() {
  const Budget budget(*this);
  if (budget) make_room(0, false);
}

void Space::retire_all() {
  const Budget budget(*this);
  if (!budget) return;
  for (std::uint32_t slot = 0; slot < control_.segments().size(); ++slot) {
    if (!alive(control_.segment(slot).state.load()) || !take_lease(slot)) continue;
    if (alive(control_.segment(slot).state.load())) retire(slot);
    drop_lease(slot);
    finish(slot);
  }
}

}  // namespace larder::store
