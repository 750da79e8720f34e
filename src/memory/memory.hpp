// The memory tier: typed values of this process, found by key, within a limit of bytes.
//
// Values are held as shared, immutable objects; a hit shares ownership and copies nothing. The tier
// knows no other tier: it is told the *stamp* of a key (the store's change counter for it) and does not
// answer with a value that was put under another stamp.
//
// Which entries stay is the affair of a policy (src/policy), one for the whole tier. What comes in or leaves does so
// under one lock, the *order*. Lookups take no lock: they find what is in sight, and what is taken out of sight is
// destroyed when no lookup is left that may have seen it (memory/readers.hpp).
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

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "memory/readers.hpp"
#include "memory/record.hpp"
#include "memory/table.hpp"
#include "policy/policy.hpp"

namespace larder::memory {

inline constexpr std::int64_t k_no_expiry = INT64_MAX;

// Charged for each entry beside its value (and beside its key, if that is too long for the inline part):
// the record, the table's cell, the policy's node and shadows, the block that counts the value's owners. Measured,
// with 60 thousand to 1.5 million entries: 251 to 273 bytes of resident memory, depending on how full the tables
// are. Room that entries have left is used again, and is given back by clear().
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

  // The clock is read, outside every lock, only if an entry with an expiry is found: that costs more than a hit.
  [[nodiscard]] Lookup get(const Key& key, std::uint64_t stamp, const base::Clock& clock);
  // What get() would find, whole; counts as no use.
  [[nodiscard]] std::optional<Entry> find(const Key& key, std::uint64_t stamp, std::int64_t now_ms);

  // Puts the entry, replacing what the key had, evicting what has to go. False: not admitted, because it is heavier
  // than the limit, or worth less than what would have to go; what the key had is gone all the same. With `gone`, the
  // values that leave are added to it, for a caller with a lock of its own to destroy later.
  bool put(const Key& key, Entry entry) {
    std::vector<detail::Value> gone;
    return put(key, std::move(entry), gone);
  }
  bool put(const Key& key, Entry entry, std::vector<detail::Value>& gone);

  // From here on, the limit is so many bytes. What has to go goes in steps, between which others put and remove;
  // lookups go on all the while.
  void resize(std::uint64_t bytes);

  bool remove(const Key& key);
  // Removes the key's entry if it has this value.
  void remove(const Key& key, const detail::Value& value);
  void clear();

  // Calls `visit` for copies of all entries, outside every lock, in no order.
  void for_each(const std::function<void(const Key&, const Entry&)>& visit);
  [[nodiscard]] Usage usage() const;

  // Throws std::logic_error, saying what, if an invariant does not hold. For tests; keeps everybody from changing it.
  void check();

 private:
  static constexpr EntryId k_none = Records::k_none;

  class Change;

  // The key's table and tag there.
  struct Place {
    Table& table;
    std::uint32_t tag;
  };
  [[nodiscard]] Place place_of(const Digest& fingerprint) noexcept;
  [[nodiscard]] const Record* find_record(const Key& key);

  [[nodiscard]] policy::Traits traits(EntryId id) const override;
  std::uint8_t take_hits(EntryId id) override;
  void leaves(EntryId id) noexcept override;

  // What an entry is charged: its value, its key beyond the inline part, and what the tier spends on it.
  [[nodiscard]] std::uint64_t charge(const Key& key, std::uint64_t value_weight) const noexcept;
  // The entry, as it was put. REQUIRES: the order is held.
  [[nodiscard]] Entry entry_of(const Record& record) const;
  // Tells the policy of a hit, if nobody else has the order.
  void tell_hit(const Key& key);
  // Whether there was an entry that met the condition; it is gone.
  template <class Condition>
  bool remove_if(const Key& key, const Condition& condition);

  Limits limits_;  // guarded by the order
  Readers readers_;
  base::Mutex order_;
  // Changed under the order, read without.
  std::vector<Table> tables_;  // a power of two of them, so that one that grows is a short pause
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> evicted_{0};
  std::atomic<std::uint64_t> expired_{0};
  // Places whose records are destroyed, to be given back: the first of a list that is added to without the order.
  std::atomic<EntryId> emptied_{k_none};
  // Under the order, but for samples().
  Records records_;
  const std::unique_ptr<policy::Policy> policy_;
  Change* change_ = nullptr;  // that is being made
};

}  // namespace larder::memory
