// Tags: labels of entries. To invalidate one puts every entry that has it out of date, at once and however many they
// are.
//
// A tag's *generation* is the moment at which it was last invalidated; moments are the numbers of a clock that counts
// changes, in a store its sequence numbers. An entry remembers the moment at which its computation began, and is
// current while no generation of its tags is later. So nobody has to know before a computation which tags its value
// will have; a value that was computed while one of its tags was invalidated is out of date from the start; and
// an entry with many tags carries one number. Tags share a generation where their hashes do: that puts too much out of
// date, never too little.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/atomic.hpp"
#include "base/hash.hpp"

namespace larder::store {

// A tag as entries carry it: a hash of its name.
using TagId = std::uint64_t;
[[nodiscard]] inline TagId tag_id(std::string_view name) noexcept {
  constexpr std::uint64_t k_seed_tag = 0x676174;  // "tag"
  return base::hash64(std::as_bytes(std::span(name)), k_seed_tag);
}

// What an entry was computed under.
struct Stamps {
  std::uint64_t begun = 0;  // the moment at which its computation began
  std::vector<TagId> tags;
};

// Thread-safe and lock-free; across processes, if its memory is shared.
class TagTable {
 public:
  using Counter = std::atomic<std::uint64_t>;

  // Both live longer than the table. `generations` is not empty. `clock` is the next moment, and counts other changes
  // as well.
  TagTable(std::span<Counter> generations, Counter& clock) noexcept : generations_(generations), clock_(&clock) {}

  // The last moment that was given out.
  [[nodiscard]] std::uint64_t moment() const noexcept { return clock_->load() - 1; }

  // Returns the moment of it.
  std::uint64_t invalidate(TagId tag) noexcept {
    const std::uint64_t now = clock_->fetch_add(1);
    note(tag, now);
    return now;
  }
  // The tag was invalidated at that moment.
  void note(TagId tag, std::uint64_t moment) noexcept { base::raise(generation(tag), moment); }

  [[nodiscard]] bool current(const Stamps& stamps) const noexcept {
    return std::ranges::none_of(stamps.tags, [&](TagId tag) { return generation(tag).load() > stamps.begun; });
  }
  // Whether a lookup that began at `asked` may be answered with the value: it is current, or what put it out of date
  // came later than the lookup.
  [[nodiscard]] bool current(const Stamps& stamps, std::uint64_t asked) const noexcept {
    return std::ranges::none_of(stamps.tags, [&](TagId tag) {
      const std::uint64_t invalidated = generation(tag).load();
      return invalidated > stamps.begun && invalidated <= asked;
    });
  }

  // Takes generations that are later than the clock back to it: it lost them with the power, or they are damaged. What
  // has been computed is not current under either. REQUIRES: nobody uses the table, and all entries began before now.
  void settle() noexcept {
    const std::uint64_t now = moment();
    for (Counter& generation : generations_) {
      if (generation.load() > now) generation = now;
    }
  }

 private:
  [[nodiscard]] Counter& generation(TagId tag) const noexcept { return generations_[tag % generations_.size()]; }

  std::span<Counter> generations_;
  Counter* clock_;
};

}  // namespace larder::store
