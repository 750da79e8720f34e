// The memory tier: typed values of this process, found by key, within a limit of bytes.
//
// Values are held as shared, immutable objects; a hit shares ownership and copies nothing. The tier
// knows no other tier: it is told the *stamp* of a key (the store's change counter for it) and does not
// answer with a value that was put under another stamp.
//
// Which entries stay is the affair of a policy (src/policy), one for the whole tier. What comes in or leaves does so
// under one lock, the *order*; lookups take only the lock of the part that the key falls to.
//
// Invariants:
//   (1) Σ weight of the entries ≤ limit at every instant, whatever other threads do. Room is made
//       before an entry comes in; one that is heavier than the whole limit is not admitted.
//   (2) A value is answered only for the full key, of the asked type, of the asked stamp, before its
//       expiry.
//   (3) No destructor of a value runs, and no user code is called, while a lock of the tier is held.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <larder/codec.hpp>
#include <larder/key.hpp>

#include "policy/policy.hpp"

namespace larder::memory {

using policy::EntryId;

inline constexpr std::int64_t k_no_expiry = INT64_MAX;

// Charged for each entry beside its value (and beside its key, if that is too long for the inline part):
// the record, the table's cell, the policy's node and shadows, the block that counts the value's owners. Measured,
// with 60 thousand to 1.5 million entries: 236 to 276 bytes of resident memory, depending on how full table
// and slab are. Room that entries have left is used again, and is given back by clear().
inline constexpr std::uint64_t k_entry_overhead = 272;

// What is kept of an entry beside its key.
struct Entry {
  detail::Value value;
  const detail::Type* type = nullptr;
  std::uint64_t weight = 0;  // measured bytes of the value; the tier adds its overhead and the key
  std::uint64_t cost_ns = 0;
  std::int64_t created_ms = 0;            // Unix time
  std::int64_t expires_ms = k_no_expiry;  // Unix time
  std::uint64_t stamp = 0;
};

enum class Miss : std::uint8_t {
  absent,
  expired,  // and now gone
  stale,    // held under another stamp, and now gone
};

struct Lookup {
  detail::Value value;                 // null: a miss
  const detail::Type* type = nullptr;  // not necessarily the one the caller wants: the caller decides what that means
  std::uint64_t cost_ns = 0;
  Miss miss = Miss::absent;
};

struct Limits {
  std::uint64_t bytes = 0;
  std::uint64_t entries = UINT64_MAX;
  std::uint64_t entry_overhead = k_entry_overhead;  // 0: as policies are compared, by the bytes of values alone
};

struct Usage {
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t evicted = 0;  // since the start
  std::uint64_t expired = 0;
};

// Thread-safe.
class MemoryTier final : private policy::Entries {
 public:
  explicit MemoryTier(Limits limits, policy::Make make = policy::make_two_gate);
  ~MemoryTier() override;
  MemoryTier(const MemoryTier&) = delete;
  MemoryTier& operator=(const MemoryTier&) = delete;

  // `now_ms` is called, under a lock, only if an entry with an expiry is found: reading the clock costs more than a
  // hit.
  [[nodiscard]] Lookup get(const Key& key, std::uint64_t stamp, std::int64_t (*now_ms)());
  // What get() would find, whole; counts as no use.
  [[nodiscard]] std::optional<Entry> find(const Key& key, std::uint64_t stamp, std::int64_t now_ms) const;

  // Puts the entry, replacing what the key had, evicting what has to go. False: not admitted, because it is heavier
  // than the limit, or worth less than what would have to go; what the key had is gone all the same. With `gone`, the
  // values that leave are added to it, for a caller with a lock of its own to destroy later.
  bool put(const Key& key, Entry entry) {
    std::vector<detail::Value> gone;
    return put(key, std::move(entry), gone);
  }
  bool put(const Key& key, Entry entry, std::vector<detail::Value>& gone);

  bool remove(const Key& key);
  // Removes the key's entry if it has this value.
  void remove(const Key& key, const detail::Value& value);
  void clear();

  // Calls `visit` for copies of all entries, outside every lock, in no order.
  void for_each(const std::function<void(const Key&, const Entry&)>& visit) const;
  [[nodiscard]] Usage usage() const;

  // Throws std::logic_error, saying what, if an invariant does not hold. For tests; locks everything.
  void check() const;

 private:
  static constexpr EntryId k_nobody = UINT32_MAX;

  struct Part;     // a shard and its lock
  class Departed;  // what left while the order was held

  [[nodiscard]] policy::Traits traits(EntryId id) const override;
  std::uint8_t take_hits(EntryId id) override;
  void leaves(EntryId id) noexcept override;

  // What an entry is charged: its value, its key beyond the inline part, and what the tier spends on it.
  [[nodiscard]] std::uint64_t charge(const Key& key, std::uint64_t value_weight) const noexcept;
  // Entries of all parts are numbered together.
  [[nodiscard]] EntryId number(std::size_t part, EntryId in_part) const noexcept;
  [[nodiscard]] Part& part_of(EntryId id) const noexcept;
  [[nodiscard]] EntryId in_part(EntryId id) const noexcept;
  [[nodiscard]] std::size_t index_of(const Key& key) const noexcept;
  // Tells the policy of a hit, if nobody else has the order.
  void tell_hit(const Key& key);
  // Whether there was an entry that met the condition; it is gone.
  template <class Condition>
  bool remove_if(const Key& key, const Condition& condition);
  // These REQUIRE that order_ is held.
  template <class Condition>
  bool take_out(const Key& key, const Condition& condition);
  void hide(Part& part, EntryId id) noexcept;
  void depart(EntryId id) noexcept;

  const Limits limits_;
  std::vector<std::unique_ptr<Part>> parts_;  // a power of two of them
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> evicted_{0};
  std::atomic<std::uint64_t> expired_{0};
  mutable std::mutex order_;                      // taken before the lock of a part, never after it
  const std::unique_ptr<policy::Policy> policy_;  // but for samples() guarded by order_, like all below
  EntryId departed_ = k_nobody;                   // the first of a list
  EntryId coming_ = k_nobody;                     // is with the policy, and not in yet
};

}  // namespace larder::memory
