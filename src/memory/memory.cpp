#include "memory/memory.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/lock.hpp"
#include "memory/budget.hpp"
#include "memory/shard.hpp"

namespace larder::memory {
namespace {

// So many bytes of the limit have a part of their own: few enough entries that growing a part's table
// is a pause of a fraction of a millisecond.
constexpr std::uint64_t k_part_bytes = 16 << 20;
constexpr std::uint64_t k_parts_min = 64;
constexpr std::uint64_t k_parts_max = 4096;

// A victim is the oldest of the parts that were looked at. Parts that hold so many entries together are
// enough: the oldest of them is old in the whole tier, since keys fall to parts at random.
constexpr std::size_t k_enough_entries = 64;

constexpr auto k_always = [](const Entry&) { return true; };

// What is reserved for an entry until it is in; given back if it does not get there.
class Reservation {
 public:
  Reservation(Budget& budget, std::uint64_t bytes) : budget_(&budget), bytes_(bytes) {}
  ~Reservation() {
    if (budget_ != nullptr) budget_->release(bytes_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  void used() { budget_ = nullptr; }

 private:
  Budget* budget_;
  const std::uint64_t bytes_;
};

}  // namespace

struct alignas(64) MemoryTier::Part {
  explicit Part(Clock& clock) : shard(clock) {}

  mutable base::Lock mutex;  // guards shard
  Shard shard;
};

struct MemoryTier::Account {
  explicit Account(Limits limits) : budget(limits) {}

  Clock clock;
  Budget budget;
  std::atomic<std::uint64_t> evicted{0};
  std::atomic<std::uint64_t> expired{0};
};

MemoryTier::MemoryTier(Limits limits) : account_(std::make_unique<Account>(limits)) {
  const std::uint64_t parts = std::clamp(limits.bytes / k_part_bytes, k_parts_min, k_parts_max);
  parts_.resize(std::bit_floor(parts));
  for (auto& part : parts_) part = std::make_unique<Part>(account_->clock);
}

MemoryTier::~MemoryTier() = default;

std::size_t MemoryTier::index_of(const Key& key) const noexcept {
  return key.fingerprint().high & (parts_.size() - 1);
}

Lookup MemoryTier::get(const Key& key, std::uint64_t stamp, std::int64_t (*now_ms)()) {
  Part& part = *parts_[index_of(key)];
  std::int64_t now = INT64_MIN;
  Miss miss = Miss::stale;
  {
    const std::lock_guard lock(part.mutex);
    const EntryId id = part.shard.find(key);
    if (id == Shard::k_none) return {};
    const Entry& entry = part.shard[id];
    if (entry.stamp == stamp) {
      if (entry.expires_ms == k_no_expiry || (now = now_ms()) < entry.expires_ms) {
        part.shard.used(id);
        return {entry.value, entry.type, entry.cost_ns};
      }
      miss = Miss::expired;
    }
  }
  const auto outdated = [&](const Entry& entry) { return entry.stamp != stamp || entry.expires_ms <= now; };
  if (remove_if(key, outdated) && miss == Miss::expired) ++account_->expired;
  return {.value = nullptr, .miss = miss};
}

std::optional<Entry> MemoryTier::find(const Key& key, std::uint64_t stamp, std::int64_t now_ms) const {
  const Part& part = *parts_[index_of(key)];
  const std::lock_guard lock(part.mutex);
  const EntryId id = part.shard.find(key);
  if (id == Shard::k_none) return std::nullopt;
  const Entry& entry = part.shard[id];
  return entry.stamp == stamp && now_ms < entry.expires_ms ? std::optional(entry) : std::nullopt;
}

bool MemoryTier::put(const Key& key, Entry entry, std::vector<detail::Value>& gone) {
  Budget& budget = account_->budget;
  const std::uint64_t weight = charge(key, entry.weight);
  if (!budget.admits(weight)) {
    if (auto value = remove_if(key, k_always)) gone.push_back(std::move(value));
    return false;
  }
  const std::size_t index = index_of(key);
  Part& part = *parts_[index];
  Record record{key, std::move(entry)};
  {
    // A value that is replaced by one that fits in its place is never missed in between.
    const std::lock_guard lock(part.mutex);
    if (const EntryId id = part.shard.find(key); id != Shard::k_none) {
      const std::uint64_t old_weight = charge(key, part.shard[id].weight);
      gone.emplace_back();  // first, because there may be no memory for it
      const bool fits = weight <= old_weight || budget.grow(weight - old_weight);
      Reservation reserved(budget, fits ? std::max(weight, old_weight) : old_weight);
      gone.back() = part.shard.take(id).entry.value;
      if (fits) {
        part.shard.insert(std::move(record));
        reserved.used();
        if (weight < old_weight) budget.shrink(old_weight - weight);
        return true;
      }
    }
  }

  for (std::size_t from = index; !budget.reserve(weight); ++from) {
    // No victim: what fills the tier is reserved by other threads, which are about to bring it in.
    if (!evict_one(from, gone)) std::this_thread::yield();
  }
  Reservation reserved(budget, weight);
  const std::lock_guard lock(part.mutex);
  if (const EntryId id = part.shard.find(key); id != Shard::k_none) {
    const std::uint64_t old_weight = charge(key, part.shard[id].weight);
    gone.emplace_back();
    gone.back() = part.shard.take(id).entry.value;
    budget.release(old_weight);
  }
  part.shard.insert(std::move(record));
  reserved.used();
  return true;
}

// Looks at the part `from` and the ones after it until that is enough, one lock at a time. The caller
// passes another `from` each time it needs more room: a heavy entry takes a little from every part.
bool MemoryTier::evict_one(std::size_t from, std::vector<detail::Value>& gone) {
  Part* oldest = nullptr;
  policy::Tick oldest_used = 0;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < parts_.size() && seen < k_enough_entries; ++i) {
    Part& part = *parts_[(from + i) & (parts_.size() - 1)];
    const std::lock_guard lock(part.mutex);
    const auto victim = part.shard.victim();
    if (victim && (oldest == nullptr || victim->used < oldest_used)) {
      oldest = &part;
      oldest_used = victim->used;
    }
    seen += part.shard.size();
  }
  if (oldest == nullptr) return false;

  std::optional<Record> evicted;
  {
    const std::lock_guard lock(oldest->mutex);
    if (const auto victim = oldest->shard.victim()) evicted = oldest->shard.take(victim->id);
  }
  if (evicted) {
    account_->budget.release(charge(evicted->key, evicted->entry.weight));
    ++account_->evicted;
    gone.push_back(std::move(evicted->entry.value));
  }
  return true;
}

// Removes the entry of `key` if there is one and it meets the condition. Never inlined: get() would prepare the room
// for the record at every hit.
template <class Condition>
[[gnu::noinline]] detail::Value MemoryTier::remove_if(const Key& key, const Condition& condition) {
  Part& part = *parts_[index_of(key)];
  std::optional<Record> gone;
  {
    const std::lock_guard lock(part.mutex);
    const EntryId id = part.shard.find(key);
    if (id == Shard::k_none || !condition(part.shard[id])) return nullptr;
    gone = part.shard.take(id);
  }
  account_->budget.release(charge(key, gone->entry.weight));
  return std::move(gone->entry.value);
}

bool MemoryTier::remove(const Key& key) {
  return remove_if(key, k_always) != nullptr;
}

void MemoryTier::remove(const Key& key, const detail::Value& value) {
  remove_if(key, [&](const Entry& entry) { return entry.value == value; });
}

void MemoryTier::clear() {
  for (const auto& part : parts_) {
    std::vector<Record> gone;
    {
      const std::lock_guard lock(part->mutex);
      gone = part->shard.take_all();
    }
    for (const Record& record : gone) account_->budget.release(charge(record.key, record.entry.weight));
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
  return {.bytes = account_->budget.bytes(),
          .entries = account_->budget.entries(),
          .evicted = account_->evicted,
          .expired = account_->expired};
}

void MemoryTier::check() const {
  std::vector<std::unique_lock<base::Lock>> locks;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    locks.emplace_back(parts_[i]->mutex);
    bytes += parts_[i]->shard.check();
    entries += parts_[i]->shard.size();
    for (const Record& record : parts_[i]->shard.copies()) {
      if (index_of(record.key) != i) throw std::logic_error("MemoryTier: an entry is in another key's part");
    }
  }
  const Budget& budget = account_->budget;
  if (bytes != budget.bytes()) throw std::logic_error("MemoryTier: the weights do not add up to the budget's bytes");
  if (entries != budget.entries()) throw std::logic_error("MemoryTier: the entries are not the budget's entries");
  if (bytes > budget.limits().bytes || entries > budget.limits().entries) {
    throw std::logic_error("MemoryTier: over the limit");
  }
}

}  // namespace larder::memory
