// The slots of a mapped index, without knowing what they lead to.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <utility>

#include "os/os.hpp"
#include "store/format.hpp"

namespace larder::store {

using Slot = std::atomic<std::uint64_t>;

// Slots that lie in one line of the processor's cache.
struct Bucket {
  static constexpr std::size_t k_slots = 8;

  Slot* first;

  [[nodiscard]] Slot* begin() const noexcept { return first; }
  [[nodiscard]] Slot* end() const noexcept { return first + k_slots; }
  [[nodiscard]] Slot& operator[](std::size_t i) const noexcept { return first[i]; }

  // What is in them.
  using Words = std::array<std::uint64_t, k_slots>;
  [[nodiscard]] Words words() const noexcept { return words_at(k_each); }
  // The slots, by their bits, in which the tag is. Nothing branches: most have another one.
  [[nodiscard]] static std::uint32_t with_tag(const Words& words, std::uint16_t tag) noexcept {
    return with_tag_at(words, tag, k_each);
  }

 private:
  static constexpr auto k_each = std::make_index_sequence<k_slots>();
  template <std::size_t... I>
  [[nodiscard]] Words words_at(std::index_sequence<I...>) const noexcept {
    return {first[I].load(std::memory_order_acquire)...};
  }
  template <std::size_t... I>
  [[nodiscard]] static std::uint32_t with_tag_at(const Words& words, std::uint16_t tag,
                                                 std::index_sequence<I...>) noexcept {
    return ((std::uint32_t{slot_tag(words[I]) == tag} << I) | ...);
  }
};

// The buckets in which a key may be: two for each size that the index has had, those of its size now first.
class Buckets {
 public:
  static constexpr std::size_t k_max = 2 * IndexShape::k_levels_max;

  Buckets(Slot* slots, const IndexShape& shape, const Digest& fingerprint) noexcept {
    for (std::uint32_t log2 = shape.log2 + 1; log2-- > shape.first_log2;) {
      const std::uint64_t mask = (std::uint64_t{1} << log2) - 1;
      const std::uint64_t first = fingerprint.low & mask;
      const std::uint64_t second = fingerprint.high & mask;
      add({slots + first * Bucket::k_slots});
      add({slots + (second == first ? (first + 1) & mask : second) * Bucket::k_slots});
    }
  }
  [[nodiscard]] const Bucket* begin() const noexcept { return list_.data(); }
  [[nodiscard]] const Bucket* end() const noexcept { return list_.data() + count_; }
  // Those in which the key is put now.
  [[nodiscard]] std::span<const Bucket, 2> newest() const noexcept { return std::span<const Bucket, 2>(begin(), 2); }

 private:
  void add(Bucket bucket) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      if (list_[i].first == bucket.first) return;
    }
    list_[count_++] = bucket;
  }

  std::array<Bucket, k_max> list_;
  std::size_t count_ = 0;
};

// Thread-safe, and safe between processes.
//
// The index grows while it is used: `shape` says how large it is. Who looks for a key that somebody put elsewhere, the
// index having grown, must see that it has: so each look begins with the shape. Nothing is moved; a key is looked for
// wherever it may have been put.
class Slots {
 public:
  // REQUIRES: a mapping of 2^max_log2 buckets, the shape being plausible; a writable one for what changes slots.
  // `shape` outlives this.
  Slots(os::Mapping mapping, const std::atomic<std::uint64_t>& shape) noexcept
      : mapping_(std::move(mapping)), word_(&shape), opened_(IndexShape::of(shape.load())) {}

  // It only grows: a word that says something else is damaged, and must lead nobody out of the mapping.
  [[nodiscard]] IndexShape shape() const noexcept {
    IndexShape shape = opened_;
    shape.log2 = std::clamp(IndexShape::of(word_->load()).log2, opened_.log2, opened_.max_log2);
    return shape;
  }
  [[nodiscard]] std::span<Slot> all() const noexcept { return {first(), shape().bytes() / sizeof(Slot)}; }
  [[nodiscard]] Buckets buckets(const Digest& fingerprint) const noexcept { return buckets(fingerprint, shape()); }
  [[nodiscard]] Buckets buckets(const Digest& fingerprint, const IndexShape& shape) const noexcept {
    return {first(), shape, fingerprint};
  }
  // Part of the slots that are taken, from a sample of some thousand.
  [[nodiscard]] double load() const noexcept;
  // Whether the slot is where a key is looked for, and what it holds has the key's tag.
  [[nodiscard]] bool fits(const Slot& slot, std::uint64_t word, const Digest& fingerprint) const noexcept;
  // An empty slot of the emptier of the newest buckets, or null.
  [[nodiscard]] Slot* find_empty(const Digest& fingerprint) const noexcept;
  // Whether a slot, published or pending, leads to a record.
  [[nodiscard]] bool lead_to(const Digest& fingerprint, Location at) const noexcept;
  // The published slot that leads to a record, and its word; null if there is none.
  struct Lead {
    Slot* slot = nullptr;
    std::uint64_t word = 0;
  };
  [[nodiscard]] Lead published(const Digest& fingerprint, Location at) const noexcept;
  // Whether any slot leads to something in a segment slot from an offset on.
  [[nodiscard]] bool lead_from(Location at) const noexcept;
  // Fills an empty slot of an index that nobody else uses. False if both buckets are full.
  bool insert(const Digest& fingerprint, Location at) noexcept;

  void clear() noexcept;
  // Clears the slots that lead to a record, or to anything in a segment slot.
  void forget(const Digest& fingerprint, Location at) noexcept;
  void forget_segment(std::uint32_t segment) noexcept;
  // Whether a slot has not changed. Whether its value counts as verified, and how often it was hit, is no change.
  [[nodiscard]] static bool same(std::uint64_t now, std::uint64_t word) noexcept {
    return ((now ^ word) & ~k_slot_remarks) == 0;
  }
  // Puts make(word) in a slot's place, unless it changed: one that was to go because of a newer record must not stay
  // for less than that. True if it was put there.
  template <class Make>
  static bool replace(Slot& slot, std::uint64_t word, const Make& make) noexcept {
    std::uint64_t now = word;
    while (!slot.compare_exchange_strong(now, make(now))) {
      if (!same(now, word)) return false;
    }
    return true;
  }
  // Clears a slot, unless it changed.
  static void drop(Slot& slot, std::uint64_t word) noexcept {
    replace(slot, word, [](std::uint64_t) { return std::uint64_t{0}; });
  }
  // Says that the value was verified in full, unless the slot changed.
  static void set_verified(Slot& slot, std::uint64_t word) noexcept {
    replace(slot, word, [](std::uint64_t now) { return now | k_slot_verified; });
  }
  // Counts a hit, unless enough are counted or somebody changes the slot just now: it is a hint, and writes seldom.
  static void count_hit(Slot& slot, std::uint64_t word) noexcept {
    if ((word & k_slot_hits) == k_slot_hits) return;
    slot.compare_exchange_strong(word, word + k_slot_hit, std::memory_order_relaxed);
  }
  // Leads the published slot of a record to a copy of it that was verified, with half the hits. False if there is none.
  [[nodiscard]] bool move(const Digest& fingerprint, Location from, Location to) const noexcept;
  // Takes that back from the slots that lead to a record, or to anything in a segment slot from an offset on.
  void distrust(const Digest& fingerprint, Location at) noexcept;
  void distrust_from(Location at) noexcept;
  // The slots that lead to a record, as change(slot, word).
  template <class Change>
  void each_to(const Digest& fingerprint, Location at, Change&& change) const {
    constexpr std::uint64_t k_flags = 0xff;
    const std::uint64_t wanted = pack_slot(fingerprint, at) & ~k_flags;
    for (const Bucket bucket : buckets(fingerprint)) {
      for (Slot& slot : bucket) {
        const std::uint64_t word = slot.load();
        if ((word & ~k_flags) == wanted) change(slot, word);
      }
    }
  }

 private:
  static void unset_verified(Slot& slot, std::uint64_t word) noexcept {
    replace(slot, word, [](std::uint64_t now) { return now & ~k_slot_verified; });
  }

  [[nodiscard]] Slot* first() const noexcept { return reinterpret_cast<Slot*>(mapping_.data()); }

  os::Mapping mapping_;
  const std::atomic<std::uint64_t>* word_;
  IndexShape opened_;
};

}  // namespace larder::store
