#include "memory/memory.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

namespace larder::memory {
namespace {

// So many bytes of the limit have a table of their own: few enough entries that its growing is a pause of a fraction of
// a millisecond for who puts.
constexpr std::uint64_t k_table_bytes = 16 << 20;
constexpr std::uint64_t k_tables_min = 64;
constexpr std::uint64_t k_tables_max = 4096;

// So many leave in one step of resize(), about.
constexpr std::uint64_t k_resize_entries = 64;

// What is not known to have cost anything counts as this much.
constexpr double k_unknown_cost_ns = 1e6;

constexpr auto k_always = [](const Record&) { return true; };

}  // namespace

// Holds the order, while entries come in and leave. When it has given it back, and nobody looks at what left any more,
// destroys that, or adds the values to `gone`.
class MemoryTier::Change {
 public:
  explicit Change(MemoryTier& tier, std::vector<detail::Value>* gone = nullptr)
      : tier_(tier), gone_(gone), order_(tier.order_) {
    tier.change_ = this;
    for (EntryId id = tier.emptied_.exchange(k_none); id != k_none;) {
      tier.records_.give_back(std::exchange(id, tier.records_.aside(id).link));
    }
  }
  ~Change() {
    tier_.change_ = nullptr;
    order_.unlock();
    if (left_ == k_none && old_ == nullptr) return;
    tier_.readers_.wait();
    EntryId last = k_none;
    for (EntryId id = left_; id != k_none; id = tier_.records_.aside(id).link) {
      destroy(tier_.records_.at(id));
      last = id;
    }
    if (last == k_none) return;
    EntryId& link = tier_.records_.aside(last).link;
    for (link = tier_.emptied_; !tier_.emptied_.compare_exchange_weak(link, left_);) continue;
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  // A record that is not in sight; its value is moved from only if there was memory for it.
  const Record& make(const Key& key, Entry& entry) {
    Key copy = key;
    const EntryId id = tier_.records_.take();
    tier_.records_.aside(id).created_ms = entry.created_ms;
    return *new (&tier_.records_.at(id)) Record{.key = std::move(copy),
                                                .value = std::move(entry.value),
                                                .type = entry.type,
                                                .stamp = entry.stamp,
                                                .expires_ms = entry.expires_ms,
                                                .cost_ns = entry.cost_ns,
                                                .weight = entry.weight,
                                                .id = id};
  }
  void show(const Record& record) noexcept {
    const Place place = tier_.place_of(record.key.fingerprint());
    place.table.insert(place.tag, record);
    count(tier_.bytes_ + tier_.charge(record.key, record.weight), tier_.entries_ + 1);
  }
  void replace(const Record& old, const Record& record) noexcept {
    const Place place = tier_.place_of(record.key.fingerprint());
    place.table.replace(place.tag, old, record);
    count(tier_.bytes_ - tier_.charge(old.key, old.weight) + tier_.charge(record.key, record.weight), tier_.entries_);
    leave(old.id);
  }
  void hide(const Record& record) noexcept {
    const Place place = tier_.place_of(record.key.fingerprint());
    place.table.erase(place.tag, record);
    count(tier_.bytes_ - tier_.charge(record.key, record.weight), tier_.entries_ - 1);
    leave(record.id);
  }
  // Of a record that is not in sight (any more).
  void leave(EntryId id) noexcept { tier_.records_.aside(id).link = std::exchange(left_, id); }
  // Room in the key's table for one entry more.
  void fit(Table& table) { old_ = table.fit(); }

  EntryId coming = k_none;  // is with the policy, and not in sight yet

 private:
  void count(std::uint64_t bytes, std::uint64_t entries) noexcept {
    tier_.bytes_ = bytes;
    tier_.entries_ = entries;
  }
  void destroy(Record& record) noexcept {
    try {
      if (gone_ != nullptr) gone_->push_back(std::move(record.value));
    } catch (const std::bad_alloc&) {
      // Then it is destroyed here.
    }
    if (record.value != nullptr) base::expect_no_lock("the destructor of a value");
    std::destroy_at(&record);
  }

  MemoryTier& tier_;
  std::vector<detail::Value>* const gone_;
  EntryId left_ = k_none;  // the first of a list
  Table::Old old_;
  std::unique_lock<base::Mutex> order_;
};

MemoryTier::MemoryTier(Limits limits, policy::Make make)
    : limits_(limits),
      tables_(std::bit_floor(std::clamp(limits.bytes / k_table_bytes, k_tables_min, k_tables_max))),
      policy_(make(*this, limits.bytes)) {}

MemoryTier::~MemoryTier() {
  for (const Table& table : tables_) {
    table.for_each([this](std::uint32_t, const Record& record) { std::destroy_at(&records_.at(record.id)); });
  }
}

std::uint64_t MemoryTier::charge(const Key& key, std::uint64_t value_weight) const noexcept {
  const std::uint64_t beside = limits_.entry_overhead + key.outside_bytes();
  return value_weight > UINT64_MAX - beside ? UINT64_MAX : value_weight + beside;
}

MemoryTier::Place MemoryTier::place_of(const Digest& fingerprint) noexcept {
  return {tables_[fingerprint.high & (tables_.size() - 1)], static_cast<std::uint32_t>(fingerprint.low)};
}

const Record* MemoryTier::find_record(const Key& key) {
  const Place place = place_of(key.fingerprint());
  return place.table.find(place.tag, [&](const Record& record) {
    __builtin_prefetch(&record.value);
    return record.key == key;
  });
}

Entry MemoryTier::entry_of(const Record& record) const {
  return {.value = record.value,
          .type = record.type,
          .weight = record.weight,
          .cost_ns = record.cost_ns,
          .created_ms = records_.aside(record.id).created_ms,
          .expires_ms = record.expires_ms,
          .stamp = record.stamp};
}

policy::Traits MemoryTier::traits(EntryId id) const {
  const Record& record = records_.at(id);
  return {.fingerprint = record.key.fingerprint().low,
          .weight = charge(record.key, record.weight),
          .cost = record.cost_ns == 0 ? k_unknown_cost_ns : static_cast<double>(record.cost_ns)};
}

std::uint8_t MemoryTier::take_hits(EntryId id) {
  std::atomic<std::uint8_t>& hits = records_.at(id).hits;
  const std::uint8_t taken = hits.load(std::memory_order_relaxed);
  if (taken != 0) hits.store(0, std::memory_order_relaxed);
  return taken;
}

void MemoryTier::leaves(EntryId id) noexcept {
  if (id == change_->coming) return change_->leave(std::exchange(change_->coming, k_none));
  change_->hide(records_.at(id));
  ++evicted_;
}

Lookup MemoryTier::get(const Key& key, std::uint64_t stamp, const base::Clock& clock) {
  Lookup lookup;
  std::int64_t expires_ms = k_no_expiry;
  {
    const Readers::Section section(readers_, order_);
    const Record* record = find_record(key);
    if (record == nullptr) return {};
    if (record->stamp != stamp) {
      lookup.miss = Miss::stale;
    } else {
      // Mostly it has hits enough, and nothing is written.
      const std::uint8_t hits = record->hits.load(std::memory_order_relaxed);
      if (hits < k_hits_max) record->hits.store(hits + 1, std::memory_order_relaxed);
      lookup = {record->value, record->type, record->cost_ns};
      expires_ms = record->expires_ms;
    }
  }
  std::int64_t now = INT64_MIN;
  if (lookup.value != nullptr) {
    if (expires_ms == k_no_expiry || (now = clock.now_ms()) < expires_ms) {
      if (policy_->samples(key.fingerprint().low)) tell_hit(key);
      return lookup;
    }
    lookup = {};
    lookup.miss = Miss::expired;
  }
  const auto outdated = [&](const Record& record) { return record.stamp != stamp || record.expires_ms <= now; };
  if (remove_if(key, outdated) && lookup.miss == Miss::expired) ++expired_;
  return lookup;
}

// Never inlined, like remove_if(): get() would prepare for it at every hit.
[[gnu::noinline]] void MemoryTier::tell_hit(const Key& key) {
  const std::unique_lock order(order_, std::try_to_lock);
  if (!order) return;
  if (const Record* record = find_record(key); record != nullptr) policy_->hit(record->id);
}

std::optional<Entry> MemoryTier::find(const Key& key, std::uint64_t stamp, std::int64_t now_ms) {
  const std::lock_guard order(order_);
  const Record* record = find_record(key);
  if (record == nullptr || record->stamp != stamp || record->expires_ms <= now_ms) return std::nullopt;
  return entry_of(*record);
}

bool MemoryTier::put(const Key& key, Entry entry, std::vector<detail::Value>& gone) {
  Change change(*this, &gone);
  const Record* old = find_record(key);
  if (charge(key, entry.weight) > limits_.bytes || limits_.entries == 0) {
    if (old != nullptr) policy_->erase(old->id), change.hide(*old);
    return false;
  }
  change.fit(place_of(key.fingerprint()).table);
  const Record& record = change.make(key, entry);
  try {
    policy_->fit(record.id);
  } catch (const std::bad_alloc&) {
    change.leave(record.id);
    throw;
  }
  // The policy forgets what is replaced before it looks for room; lookups find it until the new one is shown.
  if (old != nullptr) policy_->erase(old->id);
  while (entries_ + (old == nullptr ? 1 : 0) > limits_.entries) policy_->evict();
  change.coming = record.id;
  policy_->insert(record.id);
  const bool admitted = std::exchange(change.coming, k_none) != k_none;
  if (admitted && old != nullptr) {
    change.replace(*old, record);
  } else if (admitted) {
    change.show(record);
  } else if (old != nullptr) {
    change.hide(*old);
  }
  return admitted;
}

template <class Condition>
[[gnu::noinline]] bool MemoryTier::remove_if(const Key& key, const Condition& condition) {
  Change change(*this);
  const Record* record = find_record(key);
  if (record == nullptr || !condition(*record)) return false;
  policy_->erase(record->id);
  change.hide(*record);
  return true;
}

bool MemoryTier::remove(const Key& key) {
  return remove_if(key, k_always);
}

void MemoryTier::remove(const Key& key, const detail::Value& value) {
  remove_if(key, [&](const Record& record) { return record.value == value; });
}

void MemoryTier::clear() {
  {
    const Change change(*this);
    const std::uint64_t evicted = evicted_;
    while (policy_->evict()) continue;
    evicted_ = evicted;
  }
  std::vector<Table::Old> old;
  old.reserve(tables_.size());
  {
    const Change change(*this);
    if (records_.size() != 0) return;  // others have put something since, or are still destroying what left
    for (Table& table : tables_) old.push_back(table.release());
    records_.release();
  }
  readers_.wait();
}

void MemoryTier::resize(std::uint64_t bytes) {
  for (bool done = false; !done;) {
    const Change change(*this);
    const std::uint64_t step = bytes_ / std::max<std::uint64_t>(entries_, 1) * k_resize_entries;
    const std::uint64_t next = bytes_ > step ? bytes_ - step : 0;
    done = next <= bytes;
    limits_.bytes = std::max(bytes, next);
    policy_->resize(limits_.bytes);
  }
}

void MemoryTier::for_each(const std::function<void(const Key&, const Entry&)>& visit) {
  for (const Table& table : tables_) {
    std::vector<std::pair<Key, Entry>> copies;
    {
      const std::lock_guard order(order_);
      table.for_each([&](std::uint32_t, const Record& record) { copies.emplace_back(record.key, entry_of(record)); });
    }
    base::expect_no_lock("a visitor");
    for (const auto& [key, entry] : copies) visit(key, entry);
  }
}

Usage MemoryTier::usage() const {
  return {.bytes = bytes_, .entries = entries_, .evicted = evicted_, .expired = expired_};
}

void MemoryTier::check() {
  const std::lock_guard order(order_);
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  for (const Table& table : tables_) {
    table.for_each([&](std::uint32_t tag, const Record& record) {
      bytes += charge(record.key, record.weight);
      ++entries;
      const Place place = place_of(record.key.fingerprint());
      if (&place.table != &table || place.tag != tag)
        throw std::logic_error("MemoryTier: an entry is in another's place");
      if (find_record(record.key) != &record) throw std::logic_error("MemoryTier: an entry is not found by its key");
      if (&records_.at(record.id) != &record) throw std::logic_error("MemoryTier: an entry has another's number");
    });
  }
  if (bytes != bytes_) throw std::logic_error("MemoryTier: the weights do not add up to what is counted");
  if (entries != entries_) throw std::logic_error("MemoryTier: other entries are in than are counted");
  if (bytes > limits_.bytes || entries > limits_.entries) throw std::logic_error("MemoryTier: over the limit");
  policy_->check(entries);
}

}  // namespace larder::memory
