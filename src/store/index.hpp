// The index: which record holds the newest value of a key. Derived from the segments, shared by all
// processes, changed by compare-and-swap alone; what a slot says is believed only as far as the record
// it leads to proves it.
//
// A slot goes: empty -> pending -> published -> empty. Readers see published slots only. A publisher puts
// its pending slot in, then looks at the key's generation, then publishes; remove() and clear() change
// the generation, then clear pending and published slots. So either the publisher sees the change, or
// its slot is cleared under it: what was put before a removal never shows after it.
//
// Thread-safe. Publishing REQUIRES the append lease of the record's segment (else the segment could be
// retired, its slots cleared and its place reused before the slot is set).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

#include <larder/key.hpp>

#include "store/control.hpp"
#include "store/segments.hpp"
#include "store/slots.hpp"
#include "store/store.hpp"
#include "store/trouble.hpp"

namespace larder::store {

class Index {
 public:
  Index(os::Mapping mapping, Segments& segments, const Control& control, Trouble& trouble) noexcept
      : slots_(std::move(mapping)), segments_(segments), control_(control), trouble_(trouble) {}

  // What a slot leads to.
  enum class Read : std::uint8_t {
    found,    // a valid record
    nothing,  // no live segment
    damaged,  // bytes that are no valid record, or a damaged file
    refused,  // the system refused to map it
  };
  struct Hit {
    Slot* slot = nullptr;
    std::uint64_t word = 0;
    Segments::Pin pin;
    RecordView record;
  };
  struct Lookup {
    std::optional<Hit> hit;
    Miss miss = Miss::absent;
  };
  // The newest published record of the key; its value is not looked at.
  [[nodiscard]] Lookup find(const Key& key);

  enum class Published : std::uint8_t {
    first,
    over_older,
    older,      // a newer record of the key was there
    withdrawn,  // `current` said no, or the key was removed meanwhile
  };
  // Publishes the key's record at `at`, unless a newer one is there or `current` says no; `current` is
  // asked when the slot is in place but not yet visible.
  Published publish(const Key& key, Location at, std::uint64_t sequence, const std::function<bool()>& current);

  // Clears the key's slots, older ones first. True if there was a published one.
  bool remove(const Key& key);
  [[nodiscard]] Slots& slots() noexcept { return slots_; }
  // Follows a slot's word.
  Read read(std::uint64_t word, Hit& into);

 private:
  struct Match {
    Slot* slot;
    std::uint64_t word;
    std::uint64_t sequence;  // 0: leads nowhere
  };
  struct Matches {
    std::array<Match, 2 * Slots::k_bucket_slots> list;
    std::size_t count = 0;
    [[nodiscard]] std::span<Match> all() noexcept { return std::span(list).first(count); }
  };
  Matches matches(const Digest& fingerprint, Bytes key);
  bool take_slot(const Key& key, std::uint64_t word, Matches& of_key, Slot*& taken);
  Match choose_victim(const Digest& fingerprint);

  Slots slots_;
  Segments& segments_;
  const Control& control_;
  Trouble& trouble_;
};

}  // namespace larder::store
