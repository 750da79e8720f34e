// The slots of a mapped index, without knowing what they lead to.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <utility>

#include "os/os.hpp"
#include "store/format.hpp"

namespace larder::store {

using Slot = std::atomic<std::uint64_t>;

// Thread-safe, and safe between processes.
class Slots {
 public:
  static constexpr std::size_t k_bucket_slots = 8;

  // REQUIRES: a mapping of 2^n buckets; a writable one for what changes slots.
  explicit Slots(os::Mapping mapping) noexcept : mapping_(std::move(mapping)) {}

  [[nodiscard]] std::span<Slot> all() const noexcept {
    return {reinterpret_cast<Slot*>(mapping_.data()), mapping_.size() / sizeof(Slot)};
  }
  // The two buckets in which a key may be.
  [[nodiscard]] std::array<std::span<Slot>, 2> buckets(const Digest& fingerprint) const noexcept {
    const std::span<Slot> slots = all();
    const std::uint64_t mask = slots.size() / k_bucket_slots - 1;
    const std::uint64_t first = fingerprint.low & mask;
    std::uint64_t second = fingerprint.high & mask;
    if (second == first) second = (first + 1) & mask;
    return {slots.subspan(first * k_bucket_slots, k_bucket_slots),
            slots.subspan(second * k_bucket_slots, k_bucket_slots)};
  }
  // Whether the slot is where a key is looked for, and what it holds has the key's tag.
  [[nodiscard]] bool fits(const Slot& slot, std::uint64_t word, const Digest& fingerprint) const noexcept;
  // An empty slot of the emptier bucket, or null.
  [[nodiscard]] Slot* find_empty(const Digest& fingerprint) const noexcept;
  // Whether a slot, published or pending, leads to a record.
  [[nodiscard]] bool lead_to(const Digest& fingerprint, Location at) const noexcept;
  // Fills an empty slot of an index that nobody else uses. False if both buckets are full.
  bool insert(const Digest& fingerprint, Location at) noexcept;

  void clear() noexcept;
  // Clears the slots that lead to a record, or to anything in a segment slot.
  void forget(const Digest& fingerprint, Location at) noexcept;
  void forget_segment(std::uint32_t segment) noexcept;
  // Clears a slot, unless it changed. Whether its value counts as verified is no change: a slot that was to go because
  // of a newer record must not stay for that.
  static void drop(Slot& slot, std::uint64_t word) noexcept {
    std::uint64_t now = word;
    while (!slot.compare_exchange_strong(now, 0)) {
      if (((now ^ word) & ~k_slot_verified) != 0) return;
    }
  }
  // Says that the value was verified in full, unless the slot changed.
  static void set_verified(Slot& slot, std::uint64_t word) noexcept {
    slot.compare_exchange_strong(word, word | k_slot_verified);
  }
  // Takes that back from the slots that lead to a record, or to anything in a segment slot from an offset on.
  void distrust(const Digest& fingerprint, Location at) noexcept;
  void distrust_from(Location at) noexcept;

 private:
  // The slots that lead to a record, as change(slot, word).
  template <class Change>
  void each_to(const Digest& fingerprint, Location at, Change&& change) const noexcept;
  static void unset_verified(Slot& slot, std::uint64_t word) noexcept {
    slot.compare_exchange_strong(word, word & ~k_slot_verified);
  }

  os::Mapping mapping_;
};

}  // namespace larder::store
