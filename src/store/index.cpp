#include "store/index.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <stdexcept>

namespace larder::store {

namespace {

// Header, key and the value of a small record.
constexpr std::uint64_t k_prefetch_bytes = 1280;

}  // namespace

Index::Read Index::read(std::uint64_t word, Hit& into) {
  const Location at = slot_location(word);
  into.pin = segments_.pin(at.segment);
  if (!into.pin) {
    switch (into.pin.why()) {
      case Segments::Why::damaged:
        return Read::damaged;
      case Segments::Why::refused:
        return Read::refused;
      default:
        return Read::nothing;
    }
  }
  // A record is read from end to end: its lines are asked for at once, not one miss after the other.
  if (const Bytes bytes = into.pin.bytes(); at.offset < bytes.size()) {
    const Bytes near =
        bytes.subspan(at.offset).first(std::min<std::uint64_t>(bytes.size() - at.offset, k_prefetch_bytes));
    for (std::size_t i = 0; i < near.size(); i += 64) __builtin_prefetch(near.data() + i);
  }
  if (const Result<void> ready = into.pin.bring_in_record(at.offset); !ready) {
    trouble_.note(ready.error(), into.pin.path());
    return Read::refused;
  }
  const std::optional<RecordView> record = read_record(into.pin.bytes(), into.pin.seed(), at.offset);
  if (!record || record->header.kind != Kind::value) {
    trouble_.note(Counter::fault_damaged_record, into.pin.path(),
                  into.pin.path() + ": no valid record at offset " + std::to_string(at.offset));
    return Read::damaged;
  }
  into.record = *record;
  return Read::found;
}

bool Index::find(const Key& key, Hit& into, Miss& miss) {
  // A record that is overwritten while the slots are read one by one can be missed in its old slot and in
  // its new one. Nothing was missed if the slots are the same afterwards.
  std::array<Bucket::Words, Buckets::k_max> seen;
  while (true) {
    const IndexShape shape = slots_.shape();
    const Buckets buckets = slots_.buckets(key.fingerprint(), shape);
    // All at once: not one miss after the other.
    for (const Bucket bucket : buckets) __builtin_prefetch(bucket.first);
    if (find_once(key, buckets, seen, into, miss)) return true;
    if (miss != Miss::absent) return false;
    std::size_t i = 0;
    bool same = slots_.shape().word() == shape.word();
    for (const Bucket bucket : buckets) same = same && bucket.words() == seen[i++];
    if (same) return false;
  }
}

bool Index::find_once(const Key& key, const Buckets& buckets, std::span<Bucket::Words> seen, Hit& into, Miss& miss) {
  const std::uint16_t tag = fingerprint_tag(key.fingerprint());
  bool found = false;
  std::size_t n = 0;
  for (const Bucket bucket : buckets) {
    const Bucket::Words& words = seen[n++] = bucket.words();
    for (std::uint32_t matching = Bucket::with_tag(words, tag); matching != 0; matching &= matching - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(matching));
      if (!found) {
        found = follow(bucket[i], words[i], key, into, miss);
      } else if (Hit other; follow(bucket[i], words[i], key, other, miss)) {
        choose(key.fingerprint(), into, other);
      }
    }
  }
  return found;
}

bool Index::follow(Slot& slot, std::uint64_t word, const Key& key, Hit& into, Miss& miss) {
  if (word == 0 || (word & k_slot_pending) != 0) return false;  // an empty slot has a tag, too
  into.slot = &slot;
  into.word = word;
  switch (read(word, into)) {
    case Read::found:
      return into.record.is_for(key);
    case Read::damaged:
      if (!Slots::same(slot.load(), word)) return false;  // it led elsewhere by then
      drop_damaged(slot, word);
      miss = Miss::damaged;
      return false;
    case Read::refused:
      if (miss == Miss::absent) miss = Miss::degraded;
      return false;
    case Read::nothing:
      break;
  }
  return false;
}

void Index::choose(const Digest& fingerprint, Hit& hit, Hit& other) {
  if (other.record.offset == hit.record.offset && other.pin.id() == hit.pin.id()) {
    Slots::drop(*other.slot, other.word);  // displaced by somebody who is not done, or died
    return;
  }
  if (other.record.header.sequence == hit.record.header.sequence) {
    // A record that was displaced while it was moved, and its copy: the one in the older segment is about to go.
    if (other.pin.id() > hit.pin.id()) std::swap(hit, other);
    drop_damaged(*other.slot, other.word);
    return;
  }
  // Who published the newer one has not cleared the older one yet, or died: nobody is to remember the
  // older one when the newer one has been seen.
  if (other.record.header.sequence > hit.record.header.sequence) std::swap(hit, other);
  generations_.outdate(fingerprint);
  forget(*other.slot, other.word, fingerprint, other.record.header.sequence);
}

Index::Matches Index::matches(const Digest& fingerprint, Bytes key) {
  Matches found;
  for (const Bucket bucket : slots_.buckets(fingerprint)) {
    for (Slot& slot : bucket) {
      const std::uint64_t word = slot.load();
      if (!slot_matches(word, fingerprint)) continue;
      Hit hit;
      std::uint64_t sequence = 0;
      bool fresh = false;
      const Read what = read(word, hit);
      if (what == Read::found) {
        if (hit.record.header.fingerprint != fingerprint || !std::ranges::equal(hit.record.key, key)) continue;
        sequence = hit.record.header.sequence;
        // Who is publishing it may not have noted yet what it is put over.
        fresh = (word & k_slot_pending) != 0 || this->fresh(hit.record);
      } else if (what != Read::nothing) {
        // It may be this key's and is treated as such, so it will be cleared: at worst another key's.
        fresh = true;
        journal_.note_record(slot_location(word));
      }
      found.list[found.count++] = {&slot, word, sequence, fresh};
    }
  }
  std::ranges::sort(found.all(), {}, &Match::sequence);
  return found;
}

Index::Published Index::publish(const Key& key, Location at, std::uint64_t sequence, std::uint64_t stamp,
                                Journal::Position& noted) {
  const std::uint64_t word = pack_slot(key.fingerprint(), at);
  const std::uint64_t pending = word | k_slot_pending;
  const std::uint64_t published = word | k_slot_verified;
  const auto is_published = [](const Match& match) { return (match.word & k_slot_pending) == 0; };
  const std::uint64_t moved = control_.page().moved.load();
  Slot* taken = nullptr;
  bool others_seen = false;
  bool older_noted = false;
  // What is older must not come back once this record was seen, whatever becomes of it. What is out of date could do no
  // harm but by a clock that goes back, and is not waited for; but what it was put over itself is.
  const auto note_older = [&](bool fresh) {
    others_seen = older_noted = true;
    const Journal::Position position = journal_.note_key(key.fingerprint(), sequence - 1);
    if (fresh) journal_.owe(position);
    noted = std::max(noted, fresh ? position : journal_.owed());
  };
  while (true) {
    Matches there = matches(key.fingerprint(), key.canonical());
    for (const Match& match : there.all()) {
      if (match.sequence > sequence && is_published(match)) return Published::older;
    }
    if (!take_slot(key, pending, there, taken)) continue;
    os::reached("store.publish.pending");
    // From here on a rebuild finds this record, if not the older one. There may also be one that no slot leads to: its
    // slot was cleared, or its writer was killed before it had one.
    const bool unseen = control_.page().clearing.load() != 0 || control_.publishing(key.fingerprint(), at.segment);
    if (there.count != 0 || unseen) note_older(unseen || there.any_fresh());
    break;
  }
  std::uint64_t expected = pending;
  const bool current = unchanged(key, stamp);
  // An older value may be remembered: one that was found, or, if any was ever forgotten, one that no slot leads to.
  const auto outdate_older = [&] {
    if (others_seen || control_.page().forgotten.load() != 0) generations_.outdate(key.fingerprint());
  };
  // Now for older values that can be found no more, this record's slot having been theirs maybe.
  outdate_older();
  os::reached("store.publish.stamped");
  if (!current) {
    journal_.require(noted);
    taken->compare_exchange_strong(expected, 0);
    return Published::withdrawn;
  }
  if (!taken->compare_exchange_strong(expected, published)) return Published::withdrawn;
  os::reached("store.publish.visible");

  // Look again, until there are no older ones: one that is being displaced shows in its new slot before it leaves the
  // old.
  while (true) {
    Matches others = matches(key.fingerprint(), key.canonical());
    bool older = false;
    bool older_fresh = false;
    for (const Match& match : others.all()) {
      if (match.slot == taken) continue;
      others_seen = true;
      older |= match.sequence < sequence;
      older_fresh |= match.sequence < sequence && match.fresh;
    }
    if (older && !older_noted) note_older(older_fresh);
    // And for those that could be found until now, under a stamp of a moment ago.
    outdate_older();
    os::reached("store.publish.stamped_again");
    for (const Match& match : others.all()) {
      if (match.slot == taken) continue;
      if (match.sequence < sequence) {
        Slots::drop(*match.slot, match.word);
      } else if (is_published(match)) {
        Slots::drop(*taken, published);
        return Published::older;
      }
    }
    if (older) continue;
    if (older_noted && control_.page().moved.load() != moved) note_older(true);  // see Journal::note_and_clear
    return Published::done;
  }
}

bool Index::take_slot(const Key& key, std::uint64_t word, Matches& of_key, Slot*& taken) {
  std::uint64_t expected = 0;
  if (Slot* slot = slots_.find_empty(key.fingerprint())) {
    taken = slot;
    return slot->compare_exchange_strong(expected, word);
  }
  if (of_key.count != 0) {
    taken = of_key.list[0].slot;
    expected = of_key.list[0].word;
    return taken->compare_exchange_strong(expected, word);
  }
  crowded_.store(true, std::memory_order_relaxed);
  if (Slot* slot = make_place(key.fingerprint())) {
    taken = slot;
    return slot->compare_exchange_strong(expected, word);
  }
  const Victim victim = choose_victim(key.fingerprint());
  taken = victim.match.slot;
  bool evicted = false;
  journal_.note_and_clear([&] { note_forgotten(victim.match.word, victim.fingerprint, victim.match.sequence); },
                          [&] {
                            expected = victim.match.word;
                            evicted = taken->compare_exchange_strong(expected, word);
                          });
  if (evicted) trouble_.count(Counter::index_evicted);
  return evicted;
}

Slot* Index::make_place(const Digest& fingerprint) {
  const Buckets buckets = slots_.buckets(fingerprint);
  for (const Bucket bucket : buckets.newest()) {
    for (Slot& slot : bucket) {
      const std::uint64_t word = slot.load();
      if (word == 0) return &slot;
      Hit hit;
      if ((word & k_slot_pending) != 0 || read(word, hit) != Read::found) continue;
      if (slots_.fits(slot, word, hit.record.header.fingerprint) && displace(slot, word, hit)) return &slot;
    }
  }
  return nullptr;
}

// As a publisher does it, of the record that is there: whoever removes the key or puts it over sees the one slot or the
// other, or changes the stamp, or clears the old slot, before the new one shows.
bool Index::displace(Slot& from, std::uint64_t word, const Hit& hit) {
  const Digest& fingerprint = hit.record.header.fingerprint;
  const std::uint64_t stamp = generations_.stamp(fingerprint);
  Slot* const to = slots_.find_empty(fingerprint);
  if (to == nullptr) return false;
  std::uint64_t pending = word | k_slot_pending;
  std::uint64_t expected = 0;
  if (!to->compare_exchange_strong(expected, pending)) return false;
  os::reached("store.displace.pending");
  if (!Slots::same(from.load(), word) || Generations::changed(stamp, generations_.stamp(fingerprint))) {
    to->compare_exchange_strong(pending, 0);
    return false;
  }
  os::reached("store.displace.checked");
  if (!to->compare_exchange_strong(pending, word)) return false;
  os::reached("store.displace.visible");
  // Whoever retires the segment clears what he sees; and who puts the key over, when he has shown his record.
  const SegmentEntry& entry = control_.segment(slot_location(word).segment);
  if (!Slots::same(from.load(), word) || entry.id.load() != hit.pin.id() || !alive(entry.state.load())) {
    Slots::drop(*to, word);
    return false;
  }
  Slots::drop(from, word);
  return true;
}

bool Index::wants_to_grow() noexcept {
  return crowded_.load(std::memory_order_relaxed) && crowded_.exchange(false) && full();
}

bool Index::full() const noexcept {
  constexpr double k_load_min = 0.85;
  const IndexShape shape = slots_.shape();
  return shape.log2 < shape.max_log2 && slots_.load() >= k_load_min;
}

Index::Victim Index::choose_victim(const Digest& fingerprint) {
  Match victim{nullptr, 0, 0, true};
  std::uint64_t lowest = UINT64_MAX;
  const Buckets buckets = slots_.buckets(fingerprint);
  for (const Bucket bucket : buckets.newest()) {
    for (Slot& slot : bucket) {
      const std::uint64_t word = slot.load();
      const std::uint32_t segment = slot_location(word).segment;
      const std::uint64_t id = segment < control_.segments().size() ? control_.segment(segment).id.load() : 0;
      if (victim.slot == nullptr || id < lowest) {
        victim.slot = &slot;
        victim.word = word;
        lowest = id;
      }
    }
  }
  // Older slots of the victim's key must not show when the victim is gone, and if it is the older one
  // itself, this was the last chance to see that its publisher died.
  Hit hit;
  if (read(victim.word, hit) != Read::found) return {victim, {}};
  const Digest of_victim = hit.record.header.fingerprint;
  victim.sequence = hit.record.header.sequence;
  std::uint64_t moved = 0;
  do {
    moved = control_.page().moved.load();
    Matches of_its_key = matches(of_victim, hit.record.key);
    for (const Match& match : of_its_key.all()) {
      if (match.slot == victim.slot) continue;
      generations_.outdate(of_victim);
      if (match.sequence < victim.sequence) forget(*match.slot, match.word, of_victim, match.sequence);
    }
  } while (control_.page().moved.load() != moved);
  return {victim, of_victim};
}

void Index::note_forgotten(std::uint64_t word, const Digest& fingerprint, std::uint64_t sequence) {
  if (sequence == 0) return journal_.note_record(slot_location(word));
  journal_.note_forgotten(fingerprint, sequence);
}

void Index::forget(Slot& slot, std::uint64_t word, const Digest& fingerprint, std::uint64_t sequence) {
  journal_.note_and_clear([&] { note_forgotten(word, fingerprint, sequence); }, [&] { Slots::drop(slot, word); });
}

bool Index::current(const RecordView& record) const {
  return record.stamps.empty() || tags_.current(stamps_of(record));
}

bool Index::fresh(const RecordView& record) const {
  return !expired(record) && current(record);
}

void Index::drop_damaged(Slot& slot, std::uint64_t word) {
  // It may be whole again another time, and its key be removed before that.
  journal_.note_record(slot_location(word));
  Slots::drop(slot, word);
}

Index::ToRemove Index::begin_removal(const Key& key) {
  const std::uint64_t stamp = generations_.bump(key.fingerprint());
  os::reached("store.remove.stamped");
  // Slots first: where one is cleared while this looks, it was noted before that its record is gone.
  Matches found = matches(key.fingerprint(), key.canonical());
  // What cannot be read now may be the key's newest record, and be read a moment later.
  const bool unread =
      std::ranges::any_of(found.all(), [](const Match& match) { return match.fresh && match.sequence == 0; });
  if (unread || control_.publishing(key.fingerprint()) || control_.page().clearing.load() != 0) {
    return {control_.last_sequence(), true, stamp};
  }
  return {found.count == 0 ? 0 : found.all().back().sequence, found.any_fresh(), stamp};
}

bool Index::end_removal(const Key& key, std::uint64_t sequence) {
  bool there = false;
  while (true) {
    Matches found = matches(key.fingerprint(), key.canonical());
    while (found.count != 0 && found.all().back().sequence > sequence) --found.count;
    if (found.count == 0) break;
    for (Match& match : found.all()) {
      if ((match.word & k_slot_pending) != 0) continue;
      if (!Slots::replace(*match.slot, match.word, [](std::uint64_t now) { return now | k_slot_pending; })) continue;
      match.word |= k_slot_pending;
      there |= match.sequence != 0;
      os::reached("store.remove.hidden");
    }
    // For those who remember: somebody may have read the new stamp and then the old value. Hidden slots
    // tell the next publisher of the key to do this, should this process die before it is done.
    generations_.outdate(key.fingerprint());
    os::reached("store.remove.stamped_again");
    for (const Match& match : found.all()) Slots::drop(*match.slot, match.word);
  }
  // Somebody may have read the new stamp, then the old value, and then a reclaimer cleared its slot.
  generations_.outdate(key.fingerprint());
  return there;
}

void Index::check() {
  std::set<Digest> published;
  for (const Slot& slot : slots_.all()) {
    const std::uint64_t word = slot.load();
    if (word == 0) continue;
    Hit hit;
    if (read(word, hit) != Read::found) throw std::logic_error("Index: a slot leads to no record");
    const Digest& fingerprint = hit.record.header.fingerprint;
    if (!slots_.fits(slot, word, fingerprint))
      throw std::logic_error("Index: a slot is not where its key is looked for");
    const LastsUntil until = control_.segment(slot_location(word).segment).lasts_until.load();
    if (until != k_lasts_unknown && until < lasts_until(hit.record.header.expires_ms))
      throw std::logic_error("Index: a segment is over before a record in it is");
    if ((word & k_slot_pending) == 0 && !published.insert(fingerprint).second) {
      throw std::logic_error("Index: a key has two published slots");
    }
  }
}

}  // namespace larder::store
