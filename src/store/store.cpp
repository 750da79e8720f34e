#include "store/store.hpp"

#include <cstring>

#include <larder/units.hpp>

#include "base/atomic.hpp"
#include "base/bits.hpp"
#include "base/clock.hpp"
#include "store/body.hpp"
#include "store/parts.hpp"
#include "store/pins.hpp"

namespace larder::store {

namespace {

// Views of up to this size are brought in before they are handed out, so that a bad disk is a miss.
constexpr std::uint64_t k_populate_bytes_max = std::uint64_t{4} << 20;

// How long an append lease is kept without writing.
constexpr std::int64_t k_append_idle_ns = 1'000'000'000;

// To find out who holds the room, all processes of the machine are looked at.
constexpr std::int64_t k_holders_pause_ns = 60'000'000'000;

}  // namespace

Store::Store(std::unique_ptr<Body> body) : body_(std::move(body)) {}

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  auto body = std::make_unique<Body>(options, *options.counters);
  const TellAtEnd tell(body->trouble);
  Result<Opened> files = open_files(options, body->trouble);
  if (!files) return files.error();
  body->files = *std::move(files);
  Opened& opened = body->files;
  body->segments = Segments::open(opened.paths, opened.control, std::move(opened.pins), body->trouble);
  body->tags.emplace(tags_in(opened.gen, opened.control));
  body->generations.emplace(std::move(opened.gen), opened.control.geometry());
  body->journal.emplace(opened.paths, opened.control, opened.leases, body->trouble, body->durability);
  body->index.emplace(std::move(opened.index), *body->segments, opened.control, *body->generations, *body->tags,
                      *body->journal, body->trouble, body->clock);
  body->space.emplace(opened.paths, opened.control, opened.leases, *body->segments, *body->index, *body->journal,
                      body->trouble);
  body->appender.emplace(opened.control, *body->space, *body->segments, *body->index, *body->journal, body->trouble);
  body->reclaimer.emplace(opened.paths, opened.control, opened.leases, *body->segments, *body->index, *body->journal,
                          *body->space, *body->appender, body->trouble);
  body->waits.emplace(std::move(opened.waits), opened.leases);
  body->space->settle();
  return std::unique_ptr<Store>(new Store(std::move(body)));
}

Store::~Store() {
  // In a forked child everything but the pins belongs to the parent, and mutexes may be locked for ever.
  if (body_->fork_generation != os::fork_generation()) {
    static_cast<void>(body_.release());
    return;
  }
  body_->appender->give_up(INT64_MAX);
  body_->segments->end();
}

Lookup Store::get(const Key& key) {
  const TellAtEnd tell(body_->trouble);
  Index::Hit hit;
  if (const std::optional<Miss> miss = body_->look(key, hit)) return {std::nullopt, *miss};
  return body_->answer(std::move(hit));
}

Lookup Store::Body::answer(Index::Hit&& hit) {
  const RecordView& record = hit.record;
  Lookup answer;
  Found& found = answer.found.emplace();
  bool whole = true;
  if (record.value.size() <= k_copy_bytes_max) {
    // One allocation: the bytes, and what it takes to align them.
    constexpr std::size_t k_slack = k_record_align - 1;
    auto block = std::make_shared_for_overwrite<std::byte[]>(record.value.size() + k_slack);
    const auto address = reinterpret_cast<std::uintptr_t>(block.get());
    std::byte* const aligned = block.get() + (base::align_up<std::uintptr_t>(address, k_record_align) - address);
    if (!record.value.empty()) std::memcpy(aligned, record.value.data(), record.value.size());
    found.value = {aligned, record.value.size()};
    found.owner = std::shared_ptr<const void>(std::move(block), aligned);
    whole = valid_value(record, found.value);
  } else {
    if (record.value.size() <= k_populate_bytes_max) {
      if (const Result<void> ready = hit.pin.bring_in(record.value); !ready) {
        trouble.note(ready.error(), hit.pin.path());
        return {std::nullopt, Miss::damaged};
      }
    }
    const Result<bool> verified = verify_view(hit);
    if (!verified) {
      trouble.note(verified.error(), hit.pin.path());
      return {std::nullopt, Miss::damaged};
    }
    whole = *verified;
    found.value = record.value;
  }
  if (!whole) {
    trouble.note(Counter::fault_damaged_record, hit.pin.path(),
                 hit.pin.path() + ": the value at offset " + std::to_string(record.offset) + " is damaged");
    index->forget(*hit.slot, hit.word, record.header.fingerprint, record.header.sequence);
    return {std::nullopt, Miss::damaged};
  }
  Slots::count_hit(*hit.slot, hit.word);
  found.meta = meta_of(record);
  if (found.owner == nullptr) found.owner = std::move(hit.pin).share();
  return answer;
}

Result<bool> Store::Body::verify_view(const Index::Hit& hit) {
  // An inspection that finds the value damaged takes the slot's word back: that counts for every process.
  const bool trusted = (hit.word & k_slot_verified) != 0;
  if (trusted && verification == Verification::boot) return true;
  if (trusted && verification == Verification::process && hit.pin.has(Segments::Mark::verified, hit.record.offset)) {
    return true;
  }
  for (std::uint64_t i = 0; i * k_chunk_bytes < hit.record.value.size(); ++i) {
    const Bytes chunk = chunk_of(hit.record.value, i);
    if (const Result<void> ready = hit.pin.populate(chunk); !ready) return ready.error();
    if (!valid_chunk(hit.record, i, chunk)) return false;
  }
  Slots::set_verified(*hit.slot, hit.word);
  hit.pin.set(Segments::Mark::verified, hit.record.offset);
  return true;
}

std::optional<Miss> Store::Body::look(const Key& key, Index::Hit& into) {
  if (displaced.load(std::memory_order_relaxed)) return Miss::degraded;
  notice_retired();
  Miss miss = Miss::absent;
  if (!index->find(key, into, miss)) return miss;
  if (index->expired(into.record)) return Miss::expired;
  if (!index->current(into.record)) return Miss::invalidated;
  return std::nullopt;
}

std::optional<Listed> Store::find(const Key& key) {
  const TellAtEnd tell(body_->trouble);
  Index::Hit hit;
  if (body_->look(key, hit)) return std::nullopt;
  return Listed{key, meta_of(hit.record), hit.record.value.size()};
}

Put Store::put(const Key& key, const Meta& meta, std::span<const Bytes> value, std::uint64_t stamp) {
  const TellAtEnd tell(body_->trouble);
  if (body_->displaced.load(std::memory_order_relaxed)) return Put::fault;
  body_->notice_retired();
  std::uint64_t value_bytes = 0;
  for (const Bytes piece : value) value_bytes += piece.size();
  RecordParts parts = parts_of(key, meta);
  parts.value_bytes = value_bytes;
  Journal::Position noted = 0;
  const Put put = body_->appender->append_value(key, parts, value, stamp, noted);
  return body_->end_put(key, put, noted);
}

Put Store::Body::end_put(const Key& key, Put put, Journal::Position noted) {
  base::raise(due, noted);
  // Nothing newer came of it either: the older value must not stand for this one.
  if (put != Put::stored && put != Put::superseded) forget(key);
  if (index->wants_to_grow()) space->grow_index();
  if (put == Put::no_room) tell_of_holders();
  return put;
}

std::uint64_t Store::large_bytes_min() const noexcept {
  return body_->files.control.geometry().single_bytes_min();
}

void Store::Body::tell_of_holders() {
  if (!trouble.heard()) return;
  const std::int64_t now_ns = base::monotonic_ns();
  std::int64_t due_ns = holders_due_ns.load();
  if (now_ns < due_ns || !holders_due_ns.compare_exchange_strong(due_ns, now_ns + k_holders_pause_ns)) return;
  trouble.tell({Counter::not_stored_no_room, "no room in " + files.paths.root.string() + " below its limit of " +
                                                 format_size(files.control.page().limit.load()) + ": " +
                                                 describe(find_holders(files.paths, files.control)) +
                                                 "; what they hold they let go when their handles are destroyed"});
}

void Store::sync() {
  const TellAtEnd tell(body_->trouble);
  if (!body_->displaced.load(std::memory_order_relaxed)) body_->journal->sync(body_->due.load());
}

bool Store::remove(const Key& key) {
  const TellAtEnd tell(body_->trouble);
  if (body_->displaced.load(std::memory_order_relaxed)) {
    body_->generations->bump(key.fingerprint());  // for those who have the same deleted store open
    return false;
  }
  return body_->forget(key).there;
}

Store::Body::Forgotten Store::Body::forget(const Key& key) {
  const Index::ToRemove what = index->begin_removal(key);
  // The journal first: whoever is killed here leaves slots, by which the next one sees that there is something to
  // remove.
  bool there = false;
  const auto note = [&] {
    const Journal::Position noted = what.until == 0 ? 0 : journal->note_key(key.fingerprint(), what.until);
    if (what.fresh) journal->require(noted);
    os::reached("store.remove.written");
  };
  journal->note_and_clear(note, [&] { there = index->end_removal(key, what.until); });
  os::reached("store.remove.done");
  journal->sync(what.until == 0 ? 0 : journal->owed());  // and what is required
  return {there, what.stamp};
}

std::uint64_t Store::make_way(const Key& key) {
  const TellAtEnd tell(body_->trouble);
  if (body_->displaced.load(std::memory_order_relaxed)) return touch(key);
  const std::uint64_t removed = body_->forget(key).stamp;
  // What only outdated the key since then was the removal itself: under the stamp of now the value is remembered.
  const std::uint64_t now = stamp(key);
  return overtaken(removed, now) ? removed : now;
}

void Store::remove_older(const Key& key, std::uint64_t moment) {
  const TellAtEnd tell(body_->trouble);
  if (body_->displaced.load(std::memory_order_relaxed)) return;
  Journal::Position noted = 0;
  const auto note = [&] {
    noted = body_->journal->note_key(key.fingerprint(), moment);
    body_->journal->require(noted);
  };
  body_->journal->note_and_clear(note, [&] { body_->index->end_removal(key, moment); });
  body_->journal->sync(noted);
}

void Store::clear() {
  const TellAtEnd tell(body_->trouble);
  body_->generations->bump_all();
  if (body_->displaced.load(std::memory_order_relaxed)) return;
  os::reached("store.clear.stamped");
  const Control& control = body_->files.control;
  control.page().forgotten.store(1);
  // Until the journal knows, a key without a slot may have a record; for ever, if this process is killed here.
  control.page().clearing.fetch_add(1);
  body_->index->slots().clear();
  os::reached("store.clear.forgotten");
  // Numbers given out from here on belong to values that were stamped after the clear, or are withdrawn. Some older
  // ones do, too, and are lost with the next restart if their slots were not cleared by now.
  const Journal::Position noted = body_->journal->note_all(control.page().sequence.fetch_add(1));
  body_->journal->require(noted);
  control.page().clearing.fetch_sub(1);
  os::reached("store.clear.written");
  body_->generations->bump_all();
  os::reached("store.clear.cleared");
  body_->appender->give_up(INT64_MAX);
  body_->space->retire_all();
  body_->journal->sync(noted);
}

void Store::invalidate(TagId tag) {
  const TellAtEnd tell(body_->trouble);
  if (body_->displaced.load(std::memory_order_relaxed)) {
    body_->tags->invalidate(tag);  // for those who have the same deleted store open
    return;
  }
  // Until it is noted, who puts something over an invalidated value cannot wait for that: he notes it himself.
  std::atomic<std::uint64_t>& clearing = body_->files.control.page().clearing;
  clearing.fetch_add(1);
  const std::uint64_t moment = body_->tags->invalidate(tag);
  os::reached("store.invalidate.stamped");
  const Journal::Position noted = body_->journal->note_tag(tag, moment);
  body_->journal->require(noted);
  clearing.fetch_sub(1);
  os::reached("store.invalidate.written");
  body_->journal->sync(noted);
}

TagTable Store::tags() const noexcept {
  return *body_->tags;
}

std::uint64_t Store::clears() const noexcept {
  return body_->generations->cleared();
}

bool Store::overtaken(std::uint64_t stamp, std::uint64_t now) noexcept {
  return Generations::changed(stamp, now);
}

std::uint64_t Store::touch(const Key& key) noexcept {
  return body_->generations->bump(key.fingerprint());
}

std::uint64_t Store::stamp(const Key& key) const noexcept {
  return body_->generations->stamp(key.fingerprint());
}

void Store::for_each(const std::function<void(const Listed&)>& visit) {
  const TellAtEnd tell(body_->trouble);
  if (body_->displaced.load(std::memory_order_relaxed)) return;
  for (const Slot& slot : body_->index->slots().all()) {
    const std::uint64_t word = slot.load(std::memory_order_acquire);
    if (word == 0 || (word & k_slot_pending) != 0) continue;
    Index::Hit hit;
    if (body_->index->read(word, hit) != Index::Read::found) continue;
    const Result<Key> key = Key::from_canonical(hit.record.key);
    if (!key) continue;
    Index::Hit newest;
    Miss miss = Miss::absent;
    if (!body_->index->find(*key, newest, miss) || newest.slot != &slot) continue;
    if (!body_->index->current(hit.record)) continue;
    visit({*key, meta_of(hit.record), hit.record.value.size()});
  }
}

Usage Store::usage() const {
  Usage usage;
  usage.bytes = body_->space->bytes_used();
  usage.limit = body_->files.control.page().limit.load();
  for (const SegmentEntry& entry : body_->files.control.segments()) {
    usage.segments += alive(entry.state.load(std::memory_order_relaxed)) ? 1 : 0;
  }
  return usage;
}

const std::filesystem::path& Store::directory() const noexcept {
  return body_->files.paths.root;
}

std::span<std::atomic<std::uint64_t>> Store::shared_counters() noexcept {
  return {reinterpret_cast<std::atomic<std::uint64_t>*>(body_->files.stats.data() + 64), k_stats_counters_max};
}

void Store::Body::notice_displacement() {
  const Result<bool> in_place = files.control.in_place(files.paths);
  const std::string path = files.paths.control().string();
  if (!in_place) return trouble.note(in_place.error(), path);
  if (*in_place) return;
  displaced.store(true);
  trouble.note(Counter::fault_damaged_file, path, path + " was deleted or replaced; the store is not used any more");
}

void Store::maintain() {
  const TellAtEnd tell(body_->trouble);
  if (!body_->displaced.load()) body_->notice_displacement();
  body_->appender->give_up(base::monotonic_ns() - k_append_idle_ns);
  if (body_->displaced.load()) {
    body_->segments->close_idle();
    return;
  }
  const std::uint64_t cramped = body_->files.control.page().cramped.load();
  if (body_->cramped_seen.exchange(cramped) != cramped) body_->segments->close_idle();
  body_->segments->close_retired();
  body_->reclaimer->work_ahead();
  body_->journal->maintain();
}

void Store::reclaim_if_low() {
  const TellAtEnd tell(body_->trouble);
  if (!body_->space->room_is_low() || body_->reclaimer->exhausted()) return;
  if (!body_->displaced.load(std::memory_order_relaxed)) body_->reclaimer->work_ahead();
}

Compacted Store::compact(const std::function<void(std::uint64_t done, std::uint64_t all)>& progress) {
  const TellAtEnd tell(body_->trouble);
  if (body_->displaced.load(std::memory_order_relaxed)) return {};
  return body_->reclaimer->compact(progress);
}

void Store::check() {
  const TellAtEnd tell(body_->trouble);
  body_->segments->check();
  body_->index->check();
}

}  // namespace larder::store
