// The index: which record holds the newest value of a key. Derived from the segments, shared by all
// processes, changed by compare-and-swap alone; what a slot says is believed only as far as the record
// it leads to proves it.
//
// A slot goes: empty -> pending -> published -> empty; a removal makes a published one pending again before
// it is cleared. Readers see published slots only. A publisher puts its pending slot in, then looks at the
// key's generation, then publishes; removals and clear() change the generation, then clear pending and
// published slots. So either the publisher sees the change, or its slot is cleared under it: what was put
// before a removal never shows after it.
//
// Nobody who remembers an older value may go on answering with it once a newer one was seen. So the stamp
// changes before a newer record shows, for older ones that cannot be found any more, and again after that,
// before a published slot is cleared because of a newer record: for what was found in between. A publisher
// that dies before that leaves two published slots; whoever meets them does the rest.
//
// And no older value may come back after a restart: before a slot is cleared, the journal says that its record is gone.
//
// Thread-safe. Publishing REQUIRES the append lease of the record's segment (else the segment could be
// retired, its slots cleared and its place reused before the slot is set).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include <larder/key.hpp>

#include "base/clock.hpp"
#include "store/control.hpp"
#include "store/journal.hpp"
#include "store/segments.hpp"
#include "store/slots.hpp"
#include "store/store.hpp"
#include "store/trouble.hpp"

namespace larder::store {

class Index {
 public:
  Index(os::Mapping mapping, Segments& segments, const Control& control, Generations& generations, TagTable tags,
        Journal& journal, Trouble& trouble, const base::Clock& clock) noexcept
      : slots_(std::move(mapping), control.page().index),
        segments_(segments),
        control_(control),
        generations_(generations),
        tags_(tags),
        journal_(journal),
        trouble_(trouble),
        clock_(clock) {}

  // What a slot leads to.
  enum class Read : std::uint8_t {
    found,    // a valid record
    nothing,  // no live segment
    damaged,  // bytes that are no valid record, or a damaged file
    refused,  // the system refused to map it, or to read it
  };
  struct Hit {
    Slot* slot = nullptr;
    std::uint64_t word = 0;
    Segments::Pin pin;
    RecordView record;
  };
  // The newest published record of the key; its value is not looked at. False if there is none, or `miss` says why none
  // can be found; `into` may pin something then. REQUIRES: `miss` says `absent`.
  [[nodiscard]] bool find(const Key& key, Hit& into, Miss& miss);

  enum class Published : std::uint8_t {
    done,
    older,      // a newer record of the key was there
    withdrawn,  // the key changed since `stamp`
  };
  // Publishes the key's record at `at`, unless a newer one is there or the key changed since `stamp`. The
  // stamp changes if somebody may remember an older value. If there was one that was fresh, `noted` is raised to what
  // the journal says of it.
  Published publish(const Key& key, Location at, std::uint64_t sequence, std::uint64_t stamp, Journal::Position& noted);
  [[nodiscard]] bool unchanged(const Key& key, std::uint64_t stamp) const noexcept {
    return !Generations::changed(stamp, generations_.stamp(key.fingerprint()));
  }

  // Whether it has as many entries as it has room for, and may grow.
  [[nodiscard]] bool full() const noexcept;
  // The same, if a key found no empty slot since this was last asked: cheap otherwise.
  [[nodiscard]] bool wants_to_grow() noexcept;

  // A removal has two halves, with the journal's entry in between. The first one changes the key's stamp, so that
  // nothing that was stamped before is published from here on, and tells what a rebuild would bring back.
  struct ToRemove {
    std::uint64_t until = 0;  // the highest sequence that a record of the key may have; 0: there is none
    bool fresh = false;       // unless all are known to be out of date
    std::uint64_t stamp = 0;  // that this change made
  };
  ToRemove begin_removal(const Key& key);
  // Clears the slots of the key that lead to records of up to that sequence, older ones first, and outdates the key.
  // True if there was a published one.
  bool end_removal(const Key& key, std::uint64_t sequence);
  [[nodiscard]] Slots& slots() noexcept { return slots_; }
  // Clears a slot that leads to no readable record, or to one of which another slot leads to a copy.
  void drop_damaged(Slot& slot, std::uint64_t word);
  // Clears a slot that leads to a record of that sequence, for another reason than a change of the key.
  void forget(Slot& slot, std::uint64_t word, const Digest& fingerprint, std::uint64_t sequence);
  // By the clock that says what has expired, in milliseconds since 1970.
  [[nodiscard]] std::int64_t now_ms() const { return clock_.now_ms(); }
  // Reads the clock only if the record has an expiry: that takes longer than the rest of it.
  [[nodiscard]] bool expired(const RecordView& record) const {
    return record.header.expires_ms != k_no_expiry && record.header.expires_ms <= now_ms();
  }
  // Whether nothing was invalidated that the record depends on.
  [[nodiscard]] bool current(const RecordView& record) const;
  // Whether the record is not known to be out of date: it is current, and has not expired.
  [[nodiscard]] bool fresh(const RecordView& record) const;
  // Follows a slot's word.
  Read read(std::uint64_t word, Hit& into);

  // Throws std::logic_error, saying what, unless every slot leads to a record whose key is looked for there,
  // and no key has two published ones. For tests. REQUIRES: nobody uses the store meanwhile.
  void check();

 private:
  struct Match {
    Slot* slot;
    std::uint64_t word;
    std::uint64_t sequence;  // 0: leads nowhere
    bool fresh;              // unless it is known to be out of date
  };
  struct Matches {
    std::array<Match, Buckets::k_max * Bucket::k_slots> list;
    std::size_t count = 0;
    [[nodiscard]] std::span<Match> all() & noexcept { return std::span(list).first(count); }
    [[nodiscard]] bool any_fresh() const noexcept {
      return std::ranges::any_of(std::span(list).first(count), &Match::fresh);
    }
  };
  // Looks at every slot once, and says in `seen` what was in each.
  bool find_once(const Key& key, const Buckets& buckets, std::span<Bucket::Words> seen, Hit& into, Miss& miss);
  // Follows a slot that may be the key's. False if it is not, or why not is in `miss`.
  bool follow(Slot& slot, std::uint64_t word, const Key& key, Hit& into, Miss& miss);
  // Leaves the newer one of two records of a key in `hit`, and clears the slot of the other.
  void choose(const Digest& fingerprint, Hit& hit, Hit& other);
  Matches matches(const Digest& fingerprint, Bytes key);
  bool take_slot(const Key& key, std::uint64_t word, Matches& of_key, Slot*& taken);
  // Empties a slot of the key's newest buckets, by displacing what is there to another of its places. Null if nothing
  // can be.
  Slot* make_place(const Digest& fingerprint);
  bool displace(Slot& from, std::uint64_t word, const Hit& hit);
  // The slot to be evicted from the key's buckets, and whose it is.
  struct Victim {
    Match match;
    Digest fingerprint;
  };
  Victim choose_victim(const Digest& fingerprint);
  void note_forgotten(std::uint64_t word, const Digest& fingerprint, std::uint64_t sequence);

  Slots slots_;
  Segments& segments_;
  const Control& control_;
  Generations& generations_;
  const TagTable tags_;
  Journal& journal_;
  Trouble& trouble_;
  const base::Clock& clock_;
  std::atomic<bool> crowded_{false};
};

}  // namespace larder::store
