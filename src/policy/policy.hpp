// The policy room: who may stay. Pure: no I/O, no lock, no clock of its own, so that the memory tier and
// a trace simulator run the same code.
//
// A Policy says which entries of one bounded container leave when another comes in. It knows entries by a dense number
// that the container gives them (their place in its slab), and asks the container for what it has to know of them. The
// container calls it under a lock of its own, but for one thing: a hit. Hits are frequent, so a container counts them
// in the entry, up to three, without a lock, and the policy collects them when it looks at the entry; what it has to
// know of at once it samples (Policy::samples).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace larder::policy {

// Dense and small: a container numbers its entries 0, 1, 2, … and uses numbers again.
using EntryId = std::uint32_t;

struct Traits {
  std::uint64_t fingerprint = 0;  // 64 bits of the key's
  std::uint64_t weight = 0;       // what it is charged of the capacity
  double cost = 1;                // to compute the value, in any unit
};

// What a policy asks of its container. REQUIRES, of the policy: the entry is in.
class Entries {
 public:
  static constexpr std::uint8_t k_hits_max = 3;

  virtual ~Entries() = default;
  [[nodiscard]] virtual Traits traits(EntryId id) const = 0;
  // Hits since this was asked last, or since the entry came in; more than k_hits_max count as so many.
  virtual std::uint8_t take_hits(EntryId id) = 0;
  // The entry has to leave: the policy has forgotten it. Must not call the policy.
  virtual void leaves(EntryId id) noexcept = 0;
};

// Not thread-safe, but for samples(). Every operation is O(1), amortized.
class Policy {
 public:
  virtual ~Policy() = default;

  // Makes room in the policy's own memory for one entry more, of that number. If there is none, std::bad_alloc.
  virtual void fit(EntryId id) = 0;
  // The entry comes in. Those leave for it that have to, so that the weights of all add up to at most the capacity; the
  // entry may be one of them: it is not admitted then.
  // REQUIRES: fit(id) was called, `id` is not in, and its weight is at most the capacity.
  virtual void insert(EntryId id) noexcept = 0;
  // The entry left for a reason that the policy has nothing to do with. REQUIRES: `id` is in.
  virtual void erase(EntryId id) noexcept = 0;
  // Makes the entry leave that should leave next. False if none is in.
  virtual bool evict() noexcept = 0;
  virtual void resize(std::uint64_t capacity) noexcept = 0;

  // Whether hits of this key are to be told, by hit(). Thread-safe. The container may tell them late, and under load
  // leave some out.
  [[nodiscard]] bool samples(std::uint64_t fingerprint) const noexcept {
    return (fingerprint & unsampled_.load(std::memory_order_relaxed)) == 0;
  }
  // A hit. REQUIRES: `id` is in.
  virtual void hit(EntryId id) noexcept = 0;

  // Throws std::logic_error, saying what, if the policy does not hold exactly `entries` entries in good
  // order. For tests and for check() of containers.
  virtual void check(std::size_t entries) const = 0;

 protected:
  // Of a key that is sampled none of these bits is set. All: none is, practically.
  void sample(std::uint64_t unsampled) noexcept { unsampled_.store(unsampled, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> unsampled_{~std::uint64_t{0}};
};

// How a policy is made. The entries must outlive it.
using Make = std::unique_ptr<Policy> (*)(Entries& entries, std::uint64_t capacity);
[[nodiscard]] std::unique_ptr<Policy> make_lru(Entries& entries, std::uint64_t capacity);       // policy/lru.hpp
[[nodiscard]] std::unique_ptr<Policy> make_s3_fifo(Entries& entries, std::uint64_t capacity);   // policy/s3_fifo.hpp
[[nodiscard]] std::unique_ptr<Policy> make_two_gate(Entries& entries, std::uint64_t capacity);  // policy/two_gate.hpp

}  // namespace larder::policy
