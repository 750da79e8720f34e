// A part of the memory tier: the entries whose fingerprints fall to it, the table that finds them and
// the policy that orders them. It knows neither limits nor other shards.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "memory/memory.hpp"
#include "memory/slab.hpp"
#include "memory/table.hpp"
#include "policy/policy.hpp"

namespace larder::memory {

using policy::Tick;

// Two cache lines: the first is compared, the second handed out.
struct alignas(64) Record {
  Key key;
  Entry entry;
};
static_assert(sizeof(Record) == 128, "k_entry_overhead was measured with this");

// The tier's clock. Every shard counts its own uses and keeps up with the furthest of the others as well
// as the policies' exactness asks for, so that threads seldom write it (see Shard::now).
struct alignas(64) Clock {
  std::atomic<Tick> furthest{0};
};

// What `record` is charged: its value, its key beyond the inline part, and what the tier spends on it.
[[nodiscard]] std::uint64_t charge(const Key& key, std::uint64_t value_weight);

// Not thread-safe: its owner locks. What leaves is returned, for the caller to destroy after unlocking.
class Shard {
 public:
  static constexpr EntryId k_none = Table::k_none;

  explicit Shard(Clock& clock);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // The entry of `key`, compared in full, or k_none.
  [[nodiscard]] EntryId find(const Key& key) const {
    return table_.find(tag(key.fingerprint()), [&](EntryId id) {
      const Record& record = slab_[id];
      __builtin_prefetch(&record.entry);
      return record.key == key;
    });
  }
  [[nodiscard]] const Entry& operator[](EntryId id) const { return slab_[id].entry; }

  void used(EntryId id) {
    hits_[noted_++] = {id, now()};
    if (noted_ == k_batch) tell_hits();
  }
  // If there is no memory for it, everything stays as it was, `record` too. REQUIRES: find(record.key) == k_none.
  void insert(Record&& record);
  [[nodiscard]] Record take(EntryId id);
  // What should leave next.
  [[nodiscard]] std::optional<policy::Victim> victim() {
    tell_hits();
    return policy_->victim();
  }

  [[nodiscard]] std::size_t size() const { return slab_.size(); }
  [[nodiscard]] std::vector<Record> copies() const;
  // Takes everything, and gives the memory of the records and the table back.
  [[nodiscard]] std::vector<Record> take_all();

  // Throws std::logic_error, saying what, unless table, records and policy agree. Returns Σ charge.
  std::uint64_t check() const;

 private:
  // Hits that the policy is told of together: about as many as a processor fetches lines for at once. More would make
  // the hit that tells of them slower.
  static constexpr std::size_t k_batch = 16;
  // Before the policy is told or asked anything else.
  void tell_hits() { policy_->hit(std::span(hits_).first(std::exchange(noted_, 0))); }

  static std::uint32_t tag(const Digest& fingerprint) { return static_cast<std::uint32_t>(fingerprint.low); }
  // A shard's ticks are its uses, counted on from the furthest shard when that one is ahead. Telling the others only
  // every size/8 uses costs them no more order than lazy promotion costs within a shard (policy/lru.hpp); shards of
  // fewer than sixteen entries tell every use, and the order is exact.
  Tick now() {
    const Tick furthest = clock_.furthest.load(std::memory_order_relaxed);
    tick_ = std::max(tick_, furthest) + 1;
    if (tick_ - furthest >= size() / 8) clock_.furthest.store(tick_, std::memory_order_relaxed);
    return tick_;
  }

  Table table_;
  Slab<Record> slab_;
  std::unique_ptr<policy::Policy> policy_;
  Clock& clock_;
  Tick tick_ = 0;
  std::array<policy::Hit, k_batch> hits_;  // in the order in which they came; the first noted_ are not told yet
  std::size_t noted_ = 0;
};

}  // namespace larder::memory
