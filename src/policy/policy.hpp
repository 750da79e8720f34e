// The policy room: who may stay. Pure: no I/O, no lock, no clock of its own, so that the memory tier and
// a trace simulator run the same code.
//
// A Policy orders the entries of one bounded container. It knows entries only by a dense number that the
// container gives them (their place in its slab), and by weight and cost. The container calls it under
// its own lock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace larder::policy {

// Dense and small: a container numbers its entries 0, 1, 2, … and uses numbers again.
using EntryId = std::uint32_t;

// The container's clock: it counts uses. Containers that split their entries among several policies
// compare victims by it.
using Tick = std::uint64_t;

struct Traits {
  std::uint64_t fingerprint = 0;  // for policies that remember what they evicted
  std::uint64_t weight = 0;       // bytes charged
  std::uint64_t cost_ns = 0;      // compute time
};

struct Hit {
  EntryId id;
  Tick now;
};

struct Victim {
  EntryId id;
  Tick used;  // about when it was used last; how exactly is the policy's affair
};

// Not thread-safe. Every operation is O(1), amortized. REQUIRES: `now` never decreases.
class Policy {
 public:
  virtual ~Policy() = default;

  // The entry came in. REQUIRES: `id` is not in.
  virtual void inserted(EntryId id, const Traits& traits, Tick now) = 0;
  // The entries were read, in this order. A container may gather hits for a while, provided that it tells of them
  // before it does anything else. REQUIRES: the entries are in.
  virtual void hit(std::span<const Hit> hits) = 0;
  // The entry left, for whatever reason, eviction included. REQUIRES: `id` is in.
  virtual void erased(EntryId id) = 0;
  // The entry that should leave next, if there is any. It stays the next until another call.
  [[nodiscard]] virtual std::optional<Victim> victim() const = 0;

  // Throws std::logic_error, saying what, if the policy does not hold exactly `entries` entries in good
  // order. For tests and for check() of containers.
  virtual void check(std::size_t entries) const = 0;
};

// Least recently used. See src/policy/lru.hpp.
[[nodiscard]] std::unique_ptr<Policy> make_lru();

}  // namespace larder::policy
