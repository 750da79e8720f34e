// The parts of an open store and how they hang together. Private to the room.
#pragma once

#include "store/append.hpp"
#include "store/control.hpp"
#include "store/index.hpp"
#include "store/locks.hpp"
#include "store/opening.hpp"
#include "store/reclaim.hpp"
#include "store/reclaimer.hpp"
#include "store/segments.hpp"
#include "store/store.hpp"
#include "store/trouble.hpp"
#include "store/waits.hpp"

namespace larder::store {

// Members in the order in which each needs those above it.
struct Store::Body {
  Body(const StoreOptions& options, observe::Counters& counters)
      : trouble(counters, options.on_event),
        verification(options.verification),
        durability(options.durability),
        clock(options.clock) {}

  Trouble trouble;
  const Verification verification;
  const Durability durability;
  const base::Clock clock;
  const std::uint64_t fork_generation = os::fork_generation();
  Opened files;
  std::shared_ptr<Segments> segments;
  std::optional<TagTable> tags;
  std::optional<Generations> generations;
  std::optional<Journal> journal;
  std::optional<Index> index;
  std::optional<Space> space;
  std::optional<Appender> appender;
  std::optional<Reclaimer> reclaimer;
  std::optional<Waits> waits;
  std::atomic<Journal::Position> due{0};  // what puts have noted
  std::atomic<std::uint64_t> retired_seen{0};
  std::atomic<std::uint64_t> cramped_seen{0};
  std::atomic<bool> displaced{false};           // the directory is no longer this store's
  std::atomic<std::int64_t> holders_due_ns{0};  // when it may be told again who holds the room

  // Lets go of what others have retired since this was last asked: they wait for its room.
  void notice_retired() {
    const std::uint64_t retired = files.control.page().retired.load(std::memory_order_relaxed);
    if (retired_seen.load(std::memory_order_relaxed) != retired) {
      retired_seen.store(retired, std::memory_order_relaxed);
      segments->close_retired();
    }
  }
  // The key's record, if it is fresh; why not otherwise.
  [[nodiscard]] std::optional<Miss> look(const Key& key, Index::Hit& into);
  struct Forgotten {
    bool there;           // a lookup would have found the key
    std::uint64_t stamp;  // that the removal made
  };
  Forgotten forget(const Key& key);
  Lookup answer(Index::Hit&& hit);
  // What is left to do when a put of the key came to that, `noted` being what it noted. Returns `put`. REQUIRES: the
  // caller holds no lock.
  Put end_put(const Key& key, Put put, Journal::Position noted);
  void notice_displacement();
  // Tells who holds the room that a value was refused for, once in a while. REQUIRES: the caller holds no lock.
  void tell_of_holders();
  // Whether the value is whole. An error if the system refuses to bring it in.
  Result<bool> verify_view(const Index::Hit& hit);
};

}  // namespace larder::store
