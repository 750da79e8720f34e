#include "memory/memory.hpp"

#include <algorithm>
#include <bit>
#include <new>
#include <stdexcept>
#include <utility>

#include "base/lock.hpp"
#include "memory/shard.hpp"

namespace larder::memory {
namespace {

// So many bytes of the limit have a part of their own: few enough entries that growing a part's table
// is a pause of a fraction of a millisecond.
constexpr std::uint64_t k_part_bytes = 16 << 20;
constexpr std::uint64_t k_parts_min = 64;
constexpr std::uint64_t k_parts_max = 4096;

// What is not known to have cost anything counts as this much.
constexpr double k_unknown_cost_ns = 1e6;

constexpr auto k_always = [](const Entry&) { return true; };

}  // namespace

struct alignas(64) MemoryTier::Part {
  mutable base::Lock mutex;  // guards shard
  Shard shard;
};

// Holds the order; when it has given it back, takes those that departed meanwhile out of their places, and destroys
// their values, or adds them to `gone`.
class MemoryTier::Departed {
 public:
  explicit Departed(MemoryTier& tier, std::vector<detail::Value>* gone = nullptr)
      : tier_(tier), gone_(gone), order_(tier.order_) {}
  ~Departed() {
    EntryId id = std::exchange(tier_.departed_, k_nobody);
    order_.unlock();
    while (id != k_nobody) {
      detail::Value value = take(id);
      try {
        if (gone_ != nullptr) gone_->push_back(std::move(value));
      } catch (const std::bad_alloc&) {
        // Then it is destroyed here.
      }
    }
  }
  Departed(const Departed&) = delete;
  Departed& operator=(const Departed&) = delete;

 private:
  // Goes on to the next one.
  detail::Value take(EntryId& id) {
    Part& part = tier_.part_of(id);
    const EntryId place = tier_.in_part(id);
    const std::lock_guard lock(part.mutex);
    id = part.shard.note(place);
    return part.shard.take(place).entry.value;
  }

  MemoryTier& tier_;
  std::vector<detail::Value>* const gone_;
  std::unique_lock<std::mutex> order_;
};

MemoryTier::MemoryTier(Limits limits, policy::Make make)
    : limits_(limits),
      parts_(std::bit_floor(std::clamp(limits.bytes / k_part_bytes, k_parts_min, k_parts_max))),
      policy_(make(*this, limits.bytes)) {
  for (auto& part : parts_) part = std::make_unique<Part>();
}

MemoryTier::~MemoryTier() = default;

std::uint64_t MemoryTier::charge(const Key& key, std::uint64_t value_weight) const noexcept {
  const std::uint64_t beside = limits_.entry_overhead + key.outside_bytes();
  return value_weight > UINT64_MAX - beside ? UINT64_MAX : value_weight + beside;
}

EntryId MemoryTier::number(std::size_t part, EntryId in_part) const noexcept {
  return static_cast<EntryId>(in_part * parts_.size() + part);
}

MemoryTier::Part& MemoryTier::part_of(EntryId id) const noexcept {
  return *parts_[id & (parts_.size() - 1)];
}

EntryId MemoryTier::in_part(EntryId id) const noexcept {
  return id >> std::countr_zero(parts_.size());
}

std::size_t MemoryTier::index_of(const Key& key) const noexcept {
  return key.fingerprint().high & (parts_.size() - 1);
}

policy::Traits MemoryTier::traits(EntryId id) const {
  const Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  const Record& record = part.shard[in_part(id)];
  const auto cost = static_cast<double>(record.entry.cost_ns);
  return {.fingerprint = record.key.fingerprint().low,
          .weight = charge(record.key, record.entry.weight),
          .cost = cost == 0 ? k_unknown_cost_ns : cost};
}

std::uint8_t MemoryTier::take_hits(EntryId id) {
  Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  return static_cast<std::uint8_t>(std::exchange(part.shard.note(in_part(id)), 0));
}

void MemoryTier::leaves(EntryId id) noexcept {
  if (id == coming_) return depart(std::exchange(coming_, k_nobody));
  Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  hide(part, id);
  ++evicted_;
}

// Of an entry that was never shown.
void MemoryTier::depart(EntryId id) noexcept {
  Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  part.shard.note(in_part(id)) = std::exchange(departed_, id);
}

Lookup MemoryTier::get(const Key& key, std::uint64_t stamp, std::int64_t (*now_ms)()) {
  Part& part = *parts_[index_of(key)];
  std::int64_t now = INT64_MIN;
  Lookup lookup;
  {
    const std::lock_guard lock(part.mutex);
    const EntryId id = part.shard.find(key);
    if (id == Shard::k_none) return {};
    const Entry& entry = part.shard[id].entry;
    if (entry.stamp != stamp) {
      lookup.miss = Miss::stale;
    } else if (entry.expires_ms != k_no_expiry && (now = now_ms()) >= entry.expires_ms) {
      lookup.miss = Miss::expired;
    } else {
      std::uint32_t& hits = part.shard.note(id);
      if (hits < k_hits_max) ++hits;
      lookup = {entry.value, entry.type, entry.cost_ns};
    }
  }
  if (lookup.value != nullptr) {
    if (policy_->samples(key.fingerprint().low)) tell_hit(key);
    return lookup;
  }
  const auto outdated = [&](const Entry& entry) { return entry.stamp != stamp || entry.expires_ms <= now; };
  if (remove_if(key, outdated) && lookup.miss == Miss::expired) ++expired_;
  return lookup;
}

void MemoryTier::tell_hit(const Key& key) {
  const std::unique_lock order(order_, std::try_to_lock);
  if (!order) return;
  const std::size_t index = index_of(key);
  EntryId id = Shard::k_none;
  {
    const std::lock_guard lock(parts_[index]->mutex);
    id = parts_[index]->shard.find(key);
  }
  if (id != Shard::k_none) policy_->hit(number(index, id));
}

std::optional<Entry> MemoryTier::find(const Key& key, std::uint64_t stamp, std::int64_t now_ms) const {
  const Part& part = *parts_[index_of(key)];
  const std::lock_guard lock(part.mutex);
  const EntryId id = part.shard.find(key);
  if (id == Shard::k_none) return std::nullopt;
  const Entry& entry = part.shard[id].entry;
  return entry.stamp == stamp && now_ms < entry.expires_ms ? std::optional(entry) : std::nullopt;
}

bool MemoryTier::put(const Key& key, Entry entry, std::vector<detail::Value>& gone) {
  const std::uint64_t weight = charge(key, entry.weight);
  const std::size_t index = index_of(key);
  Part& part = *parts_[index];
  Record record{key, std::move(entry)};
  Departed departed(*this, &gone);
  if (weight > limits_.bytes || limits_.entries == 0) {
    take_out(key, k_always);
    return false;
  }
  EntryId old = Shard::k_none;
  EntryId place = Shard::k_none;
  {
    const std::lock_guard lock(part.mutex);
    old = part.shard.find(key);
    place = part.shard.hold(std::move(record));
  }
  coming_ = number(index, place);
  try {
    policy_->fit(coming_);
  } catch (const std::bad_alloc&) {
    depart(std::exchange(coming_, k_nobody));
    throw;
  }
  // The policy forgets what is replaced before it looks for room; lookups find it until the new one is shown.
  const bool replaces = old != Shard::k_none;
  if (replaces) policy_->erase(number(index, old));
  while (entries_ + (replaces ? 0 : 1) > limits_.entries) policy_->evict();
  policy_->insert(coming_);
  const bool admitted = std::exchange(coming_, k_nobody) != k_nobody;
  const std::lock_guard lock(part.mutex);
  if (replaces) hide(part, number(index, old));
  if (admitted) {
    bytes_ += weight;
    ++entries_;
    part.shard.show(place);
  }
  return admitted;
}

// Of an entry that is shown. REQUIRES: the lock of its part is held, too.
void MemoryTier::hide(Part& part, EntryId id) noexcept {
  const Record& record = part.shard[in_part(id)];
  part.shard.hide(in_part(id));
  bytes_ -= charge(record.key, record.entry.weight);
  --entries_;
  part.shard.note(in_part(id)) = std::exchange(departed_, id);
}

template <class Condition>
bool MemoryTier::take_out(const Key& key, const Condition& condition) {
  const std::size_t index = index_of(key);
  Part& part = *parts_[index];
  EntryId id = k_nobody;
  {
    const std::lock_guard lock(part.mutex);
    const EntryId place = part.shard.find(key);
    if (place == Shard::k_none || !condition(part.shard[place].entry)) return false;
    id = number(index, place);
  }
  // Asks for its weight.
  policy_->erase(id);
  const std::lock_guard lock(part.mutex);
  hide(part, id);
  return true;
}

// Never inlined: get() would prepare for it at every hit.
template <class Condition>
[[gnu::noinline]] bool MemoryTier::remove_if(const Key& key, const Condition& condition) {
  const Departed departed(*this);
  return take_out(key, condition);
}

bool MemoryTier::remove(const Key& key) {
  return remove_if(key, k_always);
}

void MemoryTier::remove(const Key& key, const detail::Value& value) {
  remove_if(key, [&](const Entry& entry) { return entry.value == value; });
}

void MemoryTier::clear() {
  {
    const Departed departed(*this);
    const std::uint64_t evicted = evicted_;
    while (policy_->evict()) continue;
    evicted_ = evicted;
  }
  for (const auto& part : parts_) {
    Shard empty;
    const std::lock_guard lock(part->mutex);
    if (part->shard.size() == 0) std::swap(part->shard, empty);
  }
}

void MemoryTier::for_each(const std::function<void(const Key&, const Entry&)>& visit) const {
  for (const auto& part : parts_) {
    std::vector<Record> copies;
    {
      const std::lock_guard lock(part->mutex);
      copies = part->shard.copies();
    }
    for (const Record& record : copies) visit(record.key, record.entry);
  }
}

Usage MemoryTier::usage() const {
  return {.bytes = bytes_, .entries = entries_, .evicted = evicted_, .expired = expired_};
}

void MemoryTier::check() const {
  const std::lock_guard order(order_);
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::lock_guard lock(parts_[i]->mutex);
    parts_[i]->shard.check();
    parts_[i]->shard.for_each([&](EntryId id) {
      const Record& record = parts_[i]->shard[id];
      bytes += charge(record.key, record.entry.weight);
      ++entries;
      if (index_of(record.key) != i) throw std::logic_error("MemoryTier: an entry is in another key's part");
    });
  }
  if (bytes != bytes_) throw std::logic_error("MemoryTier: the weights do not add up to what is counted");
  if (entries != entries_) throw std::logic_error("MemoryTier: other entries are in than are counted");
  if (bytes > limits_.bytes || entries > limits_.entries) throw std::logic_error("MemoryTier: over the limit");
  policy_->check(entries);
}

}  // namespace larder::memory
