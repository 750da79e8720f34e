#include "store/slots.hpp"

#include <algorithm>

namespace larder::store {

bool Slots::fits(const Slot& slot, std::uint64_t word, const Digest& fingerprint) const noexcept {
  return slot_matches(word, fingerprint) && std::ranges::any_of(buckets(fingerprint), [&](Bucket bucket) {
           return &slot >= bucket.begin() && &slot < bucket.end();
         });
}

double Slots::load() const noexcept {
  constexpr std::size_t k_sampled = 1024;
  const std::span<Slot> slots = all();
  const std::size_t buckets = slots.size() / Bucket::k_slots;
  const std::size_t step = std::max<std::size_t>(1, buckets / k_sampled);
  std::size_t seen = 0;
  std::size_t taken = 0;
  for (std::size_t bucket = 0; bucket < buckets; bucket += step) {
    for (const Slot& slot : slots.subspan(bucket * Bucket::k_slots, Bucket::k_slots)) {
      ++seen;
      if (slot.load(std::memory_order_relaxed) != 0) ++taken;
    }
  }
  return static_cast<double>(taken) / static_cast<double>(seen);
}

Slot* Slots::find_empty(const Digest& fingerprint) const noexcept {
  const Buckets candidates = buckets(fingerprint);
  const auto both = candidates.newest();
  std::array<std::size_t, 2> empty{};
  std::array<Slot*, 2> first{};
  for (std::size_t i = 0; i < 2; ++i) {
    for (Slot& slot : both[i]) {
      if (slot.load(std::memory_order_relaxed) != 0) continue;
      ++empty[i];
      if (first[i] == nullptr) first[i] = &slot;
    }
  }
  return empty[0] >= empty[1] ? first[0] : first[1];
}

bool Slots::insert(const Digest& fingerprint, Location at) noexcept {
  Slot* slot = find_empty(fingerprint);
  if (slot == nullptr) return false;
  slot->store(pack_slot(fingerprint, at), std::memory_order_relaxed);
  return true;
}

void Slots::clear() noexcept {
  for (Slot& slot : all()) {
    if (slot.load(std::memory_order_relaxed) != 0) slot.store(0);
  }
}

namespace {

// An entry that is displaced meanwhile may be missed where it was and where it is going, but not twice.
template <class Look>
bool twice(const Look& look) {
  return look() || look();
}

}  // namespace

bool Slots::lead_to(const Digest& fingerprint, Location at) const noexcept {
  return twice([&] {
    bool found = false;
    each_to(fingerprint, at, [&found](const Slot&, std::uint64_t) { found = true; });
    return found;
  });
}

bool Slots::lead_from(Location at) const noexcept {
  return twice([&] {
    return std::ranges::any_of(all(), [at](const Slot& slot) {
      const std::uint64_t word = slot.load();
      const Location there = slot_location(word);
      return word != 0 && there.segment == at.segment && there.offset >= at.offset;
    });
  });
}

Slots::Lead Slots::published(const Digest& fingerprint, Location at) const noexcept {
  Lead lead;
  each_to(fingerprint, at, [&lead](Slot& slot, std::uint64_t word) {
    if ((word & k_slot_pending) == 0) lead = {&slot, word};
  });
  return lead;
}

bool Slots::move(const Digest& fingerprint, Location from, Location to) const noexcept {
  const std::uint64_t copy = pack_slot(fingerprint, to) | k_slot_verified;
  const auto led_to_copy = [copy](std::uint64_t now) { return copy | (halve_hits(now) & k_slot_hits); };
  // Again if it was displaced meanwhile.
  Lead lead = published(fingerprint, from);
  while (lead.slot != nullptr && !replace(*lead.slot, lead.word, led_to_copy)) lead = published(fingerprint, from);
  return lead.slot != nullptr;
}

void Slots::forget(const Digest& fingerprint, Location at) noexcept {
  each_to(fingerprint, at, drop);
}

void Slots::distrust(const Digest& fingerprint, Location at) noexcept {
  each_to(fingerprint, at, unset_verified);
}

void Slots::distrust_from(Location at) noexcept {
  for (Slot& slot : all()) {
    const std::uint64_t word = slot.load(std::memory_order_relaxed);
    const Location leads = slot_location(word);
    if (word != 0 && leads.segment == at.segment && leads.offset >= at.offset) unset_verified(slot, word);
  }
}

void Slots::forget_segment(std::uint32_t segment) noexcept {
  for (Slot& slot : all()) {
    const std::uint64_t word = slot.load(std::memory_order_relaxed);
    if (word != 0 && slot_location(word).segment == segment) drop(slot, word);
  }
}

}  // namespace larder::store
