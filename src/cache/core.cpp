#include "cache/core.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/aligned.hpp"
#include "base/clock.hpp"
#include "base/hash.hpp"
#include "cache/packing.hpp"

namespace larder::detail {

namespace {

std::int64_t expiry(std::int64_t created_ms, std::chrono::nanoseconds ttl) {
  const std::int64_t ttl_ms = std::chrono::duration_cast<std::chrono::milliseconds>(ttl).count();
  // A clock that was never set may stand before 1970.
  const bool beyond = created_ms > 0 && ttl_ms > memory::k_no_expiry - created_ms;
  return ttl == k_never || beyond ? memory::k_no_expiry : created_ms + ttl_ms;
}

std::uint64_t nanoseconds_of(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
}

[[noreturn]] void throw_mismatch(const Key& key, const std::string& stored, const std::string& asked) {
  throw Error(Errc::type_mismatch, key.text() + " holds a value of type " + stored + ", not " + asked,
              "ask for the type that was stored, or make the type part of the key");
}

bool is_same(const Type& a, const Type& b) {
  return &a == &b || *a.id == *b.id;
}

bool is_negative(const Type& type) {
  return is_same(type, k_type<NoAnswer>);
}

// What get() takes.
constexpr Windows k_get = {.negative = true};

// Says why, if the store knows more than that the key is absent.
void refine(Counter& miss, store::Miss reason) {
  switch (reason) {
    case store::Miss::absent:
      break;
    case store::Miss::expired:
      miss = Counter::miss_expired;
      break;
    case store::Miss::invalidated:
      miss = Counter::miss_invalidated;
      break;
    case store::Miss::damaged:
      miss = Counter::miss_damaged;
      break;
    case store::Miss::degraded:
      miss = Counter::miss_degraded;
      break;
  }
}

// The value, of another type than `to`, as an object of that type: encoded and decoded. Null if a codec threw.
Value converted(const Key& key, const Value& value, const Type& from, const Type& to, observe::Counters& counters) {
  if (from.name() != to.name()) throw_mismatch(key, from.name(), to.name());
  try {
    Encoder encoder;
    base::expect_no_lock("a codec");
    from.encode(value.get(), encoder);
    const base::AlignedBytes bytes = base::aligned_copy(encoder.pieces());
    return to.decode(bytes.bytes, bytes.owner);
  } catch (...) {
    counters.add(Counter::fault_codec);
    return nullptr;
  }
}

}  // namespace

Windows windows_of(const EntryOptions& options) {
  const auto ms = [](const Duration& window) {
    using std::chrono::milliseconds;
    return std::max<std::int64_t>(0, std::chrono::duration_cast<milliseconds>(window.nanoseconds().value()).count());
  };
  return {ms(options.refresh_ahead), ms(options.stale_while_revalidate), ms(options.stale_if_error), false};
}

store::Meta Core::meta_of(const Key& key, const Type& type, const Terms& terms, std::chrono::nanoseconds cost,
                          store::Stamps stamps) {
  const std::int64_t now_ms = clock_.now_ms();
  const std::chrono::nanoseconds ttl = jittered(key, terms);
  const std::chrono::nanoseconds kept = terms.grace < k_never - ttl ? ttl + terms.grace : k_never;
  store::Meta meta{type.name(), nanoseconds_of(cost), now_ms, expiry(now_ms, kept), std::move(stamps)};
  if (const std::int64_t fresh_ms = expiry(now_ms, ttl); fresh_ms < meta.expires_ms) meta.fresh_ms = fresh_ms;
  return meta;
}

std::chrono::nanoseconds Core::jittered(const Key& key, const Terms& terms) noexcept {
  if (terms.jitter == 0 || terms.ttl == k_never) return terms.ttl;
  const std::array<std::uint64_t, 2> words{key.fingerprint().low, random_.fetch_add(1, std::memory_order_relaxed)};
  const std::uint64_t hash = base::hash64(std::as_bytes(std::span(words)), 0);
  const double share = std::ldexp(static_cast<double>(hash >> 11), -53);
  return std::chrono::nanoseconds(std::llround(static_cast<double>(terms.ttl.count()) * (1 - terms.jitter * share)));
}

Terms resolve(const EntryOptions& options) {
  const Windows windows = windows_of(options);
  Terms terms{options.ttl.nanoseconds().value(),
              std::chrono::milliseconds(std::max(windows.stale_ms, windows.on_error_ms)),
              options.jitter,
              windows.ahead_ms != 0,
              std::nullopt,
              {},
              options.compression};
  if (!(terms.jitter >= 0 && terms.jitter <= 1)) {
    throw Error(Errc::invalid_option, "a jitter of " + std::to_string(terms.jitter) + " is no part of the TTL",
                "say which part of it may be taken off, from 0 to 1");
  }
  if (options.cost) {
    terms.cost = options.cost->nanoseconds().value();
    if (*terms.cost == k_never)
      throw Error(Errc::invalid_option, "a cost of `never` is no cost", "say how long it takes");
  }
  if (options.tags.size() > k_tags_max) {
    throw Error(Errc::invalid_option, "an entry cannot have " + std::to_string(options.tags.size()) + " tags",
                "give it at most " + std::to_string(k_tags_max));
  }
  for (const std::string& tag : options.tags) {
    if (tag.empty()) throw Error(Errc::invalid_option, "a tag is empty", "leave it out, or give it a name");
    terms.tags.push_back(store::tag_id(tag));
  }
  return terms;
}

// This and search_memory() are most of what a hit in memory does here: inline, they share its frame.
[[gnu::always_inline]] inline void Core::count_answer(const Answer& answer) {
  counters_.add(answer.source == Tier::memory ? Counter::memory_hit : Counter::store_hit);
  counters_.add(Counter::saved_ns, nanoseconds_of(answer.saved));
  if (answer.negative) counters_.add(Counter::negative_hit);
}

// Of an answer that may be that older value.
void Core::count_answer(const Answer& answer, const Old& old) {
  count_answer(answer);
  if (old.found && old.stale) counters_.add(Counter::stale_hit);
}

[[gnu::always_inline]] inline memory::Lookup Core::find_in_memory(const Key& key, std::uint64_t stamp, Counter& miss,
                                                                  std::int64_t& fresh_ms) {
  if (!memory_) return {};
  memory::Lookup lookup = memory_->get(key, stamp, clock_);
  if (lookup.value == nullptr) {
    if (lookup.miss == memory::Miss::expired) miss = Counter::miss_expired;
    if (lookup.miss == memory::Miss::stale) counters_.add(Counter::revalidated);
    return lookup;
  }
  if (stamped_.load(std::memory_order_relaxed)) {
    const StampedOwner* const carried = stamped_owner(lookup.value);
    if (carried == nullptr) return lookup;
    fresh_ms = carried->fresh_ms;
    if (!tags().current(carried->stamps)) {
      memory_->remove(key, lookup.value);
      miss = Counter::miss_invalidated;
      return {};
    }
  }
  return lookup;
}

[[gnu::always_inline]] inline Answer Core::search_memory(const Key& key, const Type& type, std::uint64_t stamp,
                                                         Counter& miss, const Windows& windows, Old* old) {
  std::int64_t fresh_ms = memory::k_no_expiry;
  memory::Lookup lookup = find_in_memory(key, stamp, miss, fresh_ms);
  if (lookup.value == nullptr) return {};
  bool negative = false;
  if (!is_same(*lookup.type, type)) {
    negative = is_negative(*lookup.type);
    if (!negative) lookup.value = converted(key, lookup.value, *lookup.type, type, counters_);
  }
  const std::chrono::nanoseconds cost(lookup.cost_ns);
  Answer answer{std::move(lookup.value), Tier::memory, cost, cost, negative};
  if (fresh_ms == memory::k_no_expiry && !negative) {
    if (windows.ahead_ms == 0) return answer;
    // Put or promoted by who did not ask ahead of its end.
    const std::optional<memory::Entry> entry = memory_->find(key, stamp, clock_.now_ms());
    fresh_ms = entry ? entry->expires_ms : memory::k_no_expiry;
  }
  return judged(std::move(answer), fresh_ms, stamp, miss, windows, old);
}

[[gnu::noinline]] Answer Core::judged(Answer&& answer, std::int64_t fresh_ms, std::uint64_t stamp, Counter& miss,
                                      const Windows& windows, Old* old) {
  const bool taken = windows.negative || !answer.negative;
  if (fresh_ms == memory::k_no_expiry && taken) return std::move(answer);
  const std::int64_t now_ms = clock_.now_ms();
  const Use use = taken ? use_of(fresh_ms, now_ms, windows) : Use::others;
  if (use == Use::answer) return std::move(answer);
  if (taken) miss = Counter::miss_expired;
  if (old != nullptr) {
    *old = {windows, true, use, now_ms >= fresh_ms, use == Use::others ? Answer() : std::move(answer), fresh_ms, stamp};
  }
  return {};
}

bool Core::has_old_stamps(const Value& value) const {
  const StampedOwner* const carried = stamped_owner(value);
  return carried != nullptr && !tags().current(carried->stamps);
}

Value Core::with_stamps(Value value, store::Stamps stamps, std::int64_t fresh_ms) {
  if (!stamps.tags.empty() || fresh_ms != store::k_no_expiry) stamped_.store(true);
  return stamped(std::move(value), std::move(stamps), fresh_ms);
}

bool Core::usable(const Pending& pending, Counter& miss) const {
  if (over(pending.meta.expires_ms)) {
    miss = Counter::miss_expired;
    return false;
  }
  if (outdated(pending.value)) {
    miss = Counter::miss_invalidated;
    return false;
  }
  return true;
}

Answer Core::search_below(const Key& key, const Type& type, std::uint64_t stamp, std::int64_t since_ns, Counter& miss,
                          const Windows& windows, Old* old) {
  if (!store_) {
    if (degraded_) miss = Counter::miss_degraded;
    return {};
  }
  if (const auto pending = write_back_->find(key, stamp)) {
    if (!usable(*pending, miss)) return {};
    const std::chrono::nanoseconds cost(pending->meta.cost_ns);
    const bool negative = is_negative(*pending->type);
    Value value = negative || is_same(*pending->type, type)
                      ? pending->value
                      : converted(key, pending->value, *pending->type, type, counters_);
    return judged({std::move(value), Tier::memory, cost, cost, negative}, pending->meta.fresh_until(), stamp, miss,
                  windows, old);
  }
  store::Lookup lookup = store_->get(key);
  if (lookup.found) {
    const bool negative = lookup.found->meta.type == k_type<NoAnswer>.name();
    const Type& held = negative ? k_type<NoAnswer> : type;
    if (lookup.found->meta.type != held.name()) throw_mismatch(key, lookup.found->meta.type, type.name());
    const std::int64_t fresh_ms = lookup.found->meta.fresh_until();
    if (lookup.found->meta.fresh_ms != store::k_no_expiry &&
        use_of(fresh_ms, clock_.now_ms(), windows) == Use::others) {
      return judged({}, fresh_ms, stamp, miss, windows, old);  // not worth decoding
    }
    try {
      if (lookup.found->meta.raw_bytes != 0) {
        // The record's checksums hold, so that whoever wrote the frame wrote it damaged.
        if (!unpack(*lookup.found)) {
          counters_.add(Counter::fault_damaged_record);
          miss = Counter::miss_damaged;
          return {};
        }
        counters_.add(Counter::decompressed);
      }
      Answer answer = promote(key, held, stamp, since_ns, *std::move(lookup.found));
      answer.negative = negative;
      return judged(std::move(answer), fresh_ms, stamp, miss, windows, old);
    } catch (...) {
      // The bytes are the ones that were stored, so this codec does not read what it once wrote.
      counters_.add(Counter::fault_codec);
      miss = Counter::miss_damaged;
      return {};
    }
  }
  refine(miss, lookup.miss);
  return {};
}

Answer Core::promote(const Key& key, const Type& type, std::uint64_t stamp, std::int64_t since_ns,
                     store::Found&& found) {
  const std::uint64_t bytes = found.value.size();
  base::expect_no_lock("a codec");
  std::weak_ptr<const void> owner;
  if (memory_) owner = found.owner;  // nobody else asks whether the value is a view
  Value value =
      with_stamps(type.decode(found.value, std::move(found.owner)), std::move(found.meta.stamps), found.meta.fresh_ms);
  // A value that still needs the stored bytes is a view of them. A large one pins its segment: the page
  // cache is its memory tier, and memory must not keep it pinned. Everything else is an object like any, a view of
  // what was decompressed included: it weighs all of that.
  const bool is_view = !owner.expired();
  const bool pins = is_view && bytes > store::k_copy_bytes_max && found.meta.raw_bytes == 0;
  if (memory_ && !pins) {
    memory_->put(key, {.value = value,
                       .type = &type,
                       .weight = std::max<std::uint64_t>(type.weight(value.get()), is_view ? bytes : 0),
                       .cost_ns = found.meta.cost_ns,
                       .created_ms = found.meta.created_ms,
                       .expires_ms = found.meta.expires_ms,
                       .stamp = stamp});
  }
  const std::chrono::nanoseconds cost(found.meta.cost_ns);
  const std::chrono::nanoseconds took(base::coarse_monotonic_ns() - since_ns);
  return {std::move(value), Tier::store, cost, std::max(std::chrono::nanoseconds(0), cost - took)};
}

Answer Core::get(const Key& key, const Type& type) {
  const std::uint64_t stamp = stamp_of(key);
  Counter miss = Counter::miss_absent;
  Answer answer = search_memory(key, type, stamp, miss, k_get, nullptr);
  if (!answer) answer = search_below(key, type, stamp, base::coarse_monotonic_ns(), miss, k_get, nullptr);
  if (answer) {
    count_answer(answer);
  } else {
    counters_.add(miss);
  }
  return answer;
}

std::optional<Core::Readable> Core::encoded(const Value& value, const Type& type, std::uint64_t cost_ns) {
  try {
    Encoder encoder;
    base::expect_no_lock("a codec");
    type.encode(value.get(), encoder);
    const base::AlignedBytes bytes = base::aligned_copy(encoder.pieces());
    const std::chrono::nanoseconds cost(cost_ns);
    count_answer({value, Tier::memory, cost, cost});
    return Readable{std::nullopt, Readable::Object{type.name(), bytes.bytes, bytes.owner}};
  } catch (...) {
    counters_.add(Counter::fault_codec);
    return std::nullopt;
  }
}

std::optional<Core::Readable> Core::read(const Key& key) {
  const std::uint64_t stamp = stamp_of(key);
  Counter miss = Counter::miss_absent;
  std::optional<Readable> found;
  std::int64_t fresh_ms = memory::k_no_expiry;
  if (const memory::Lookup lookup = find_in_memory(key, stamp, miss, fresh_ms); lookup.value != nullptr) {
    if (!is_negative(*lookup.type) && fresh(fresh_ms, miss))
      found = encoded(lookup.value, *lookup.type, lookup.cost_ns);
  } else if (!store_) {
    if (degraded_) miss = Counter::miss_degraded;
  } else if (const auto pending = write_back_->find(key, stamp)) {
    if (usable(*pending, miss) && !is_negative(*pending->type) && fresh(pending->meta.fresh_until(), miss)) {
      found = encoded(pending->value, *pending->type, pending->meta.cost_ns);
    }
  } else if (store::StoredValue::Lookup stored = store::StoredValue::find(*store_, key);
             stored.value && stored.value->range(0, 1)) {
    const store::Meta& meta = stored.value->meta();
    if (meta.type == k_type<NoAnswer>.name() || !fresh(meta.fresh_until(), miss)) {
      counters_.add(miss);
      return std::nullopt;
    }
    const std::chrono::nanoseconds cost(meta.cost_ns);
    count_answer({nullptr, Tier::store, cost, cost});
    found = Readable{std::move(stored.value), std::nullopt};
  } else {
    refine(miss, stored.value ? store::Miss::damaged : stored.miss);
  }
  if (!found) counters_.add(miss);
  return found;
}

Core::Claim Core::claim(const Key& key, const Type& type, const Windows& windows, bool later) {
  Claim claim;
  Counter miss = Counter::miss_absent;
  // Mostly the fresh value is there.
  claim.answer = search_memory(key, type, stamp_of(key), miss, windows, nullptr);
  if (claim.answer) {
    count_answer(claim.answer);
    return claim;
  }
  return claim_older_or_lead(key, type, windows, later, miss);
}

Core::Claim Core::claim_older_or_lead(const Key& key, const Type& type, const Windows& windows, bool later,
                                      Counter miss) {
  Claim claim;
  while (true) {
    Old old{windows};
    const std::uint64_t stamp = stamp_of(key);
    claim.answer = search_memory(key, type, stamp, miss, old.windows, &old);
    if (claim.answer) {
      count_answer(claim.answer);
      return claim;
    }
    if (later && old.use == Use::due) {
      claim.answer = old.answer;
      claim.due = refresher_.lacks(key);
      count_answer(claim.answer, old);
      return claim;
    }
    const std::uint64_t asked = tags().moment();
    FlightTable::Joined joined = flights_.join(key);
    if (!joined.leads) {
      // It may take its time: who takes an older value has it at once.
      const bool takes_older = windows.ahead_ms != 0 || windows.stale_ms != 0;
      if (takes_older && !old.found) {
        claim.answer = search_below(key, type, stamp, base::coarse_monotonic_ns(), miss, old.windows, &old);
      }
      if (old.use == Use::due) claim.answer = old.answer;
      if (claim.answer) {
        count_answer(claim.answer, old);
        return claim;
      }
      const store::WaitNotice notice = announce_wait(key, nullptr);
      const Flight::Landing& landing = FlightTable::wait(*joined.flight);
      if (landing.failure) {
        counters_.add(Counter::coalesced);
        claim.answer = search_on_error(key, type, windows);
        if (claim.answer) return claim;
        std::rethrow_exception(landing.failure);
      }
      if (!landing.answer) continue;  // abandoned: one of the waiters leads the next flight
      const StampedOwner* const carried = stamped_owner(landing.answer.value);
      if (carried != nullptr && !tags().current(carried->stamps, asked)) continue;  // too old for this caller
      claim.answer = landing.answer;
      if (landing.answer.negative) {
        if (!windows.negative) continue;  // this caller's function brings an answer
      } else if (!is_same(*landing.type, type)) {
        claim.answer.value = converted(key, landing.answer.value, *landing.type, type, counters_);
        if (!claim.answer) continue;  // of no use to this caller: it computes for itself
      }
      if (claim.answer.source == Tier::computed) {
        counters_.add(Counter::coalesced);
      } else {
        count_answer(claim.answer);
      }
      return claim;
    }
    Flight& flight = *joined.flight;
    try {
      claim.answer = lead(flight, type, miss, old, later);
      if (claim.answer) {
        // Those who wait do not take an older value, or they would not wait.
        flights_.end(flight, old.found ? Flight::Landing() : Flight::Landing{claim.answer, &type, nullptr});
        count_answer(claim.answer, old);
        claim.due = later && old.use == Use::due && refresher_.lacks(key);
        return claim;
      }
    } catch (...) {
      // This caller's trouble (another type): the others see for themselves.
      flights_.end(flight, {});
      throw;
    }
    counters_.add(miss);
    claim.flight = std::move(joined.flight);
    return claim;
  }
}

void Core::refresh_later(const Key& key, Later computation) {
  if (!refresher_.push(key, std::move(computation))) counters_.add(Counter::refresh_dropped);
}

void Core::refresh(const Key& key, const Later& computation) noexcept {
  std::shared_ptr<Flight> flight;
  try {
    const FlightTable::Joined joined = flights_.join(key);
    if (!joined.leads) return;
    flight = joined.flight;
    Old old{windows_of(computation.options)};
    old.windows.negative = computation.negative;
    Counter miss = Counter::miss_absent;
    if (lead(*flight, *computation.type, miss, old, false) || flight->old.use != Use::due) {
      flight->take_lease().release();
      flights_.end(*flight, {});
      return;
    }
    base::expect_no_lock("a computation");
    const Computed result = computation.compute();
    fulfil(*flight, result.value, *result.type, computation.options);
  } catch (...) {
    const std::exception_ptr reason = std::current_exception();
    if (flight != nullptr && flight->running()) fail(*flight, reason);
    tell(Counter::computation_failed, key, "its older value is kept", reason);
  }
}

Answer Core::search_on_error(const Key& key, const Type& type, const Windows& windows) {
  if (windows.on_error_ms == 0) return {};
  Old old{windows};
  Counter miss = Counter::miss_absent;
  const std::uint64_t stamp = stamp_of(key);
  Answer answer = search_memory(key, type, stamp, miss, old.windows, &old);
  if (!answer && !old.found)
    answer = search_below(key, type, stamp, base::coarse_monotonic_ns(), miss, old.windows, &old);
  if (!answer) answer = std::move(old.answer);
  if (answer) counters_.add(Counter::answered_on_error);
  return answer;
}

store::WaitNotice Core::announce_wait(const Key& key, const Flight* mine) {
  if (!store_) return {};
  const std::vector<Key> led = flights_.led_by_this_thread(mine);
  if (led.empty()) return {};
  store::WaitNotice notice = store_->announce_wait(led, key);
  if (notice.closes_circle()) throw_cycle(key, led.front().short_text() + " waits for it, and it for that");
  return notice;
}

Answer Core::lead(Flight& flight, const Type& type, Counter& miss, Old& old, bool later) {
  const Key& key = flight.key;
  const std::int64_t start_ns = base::coarse_monotonic_ns();
  // The flight before this one may have landed between the look into memory and the join.
  old = {old.windows};
  const std::uint64_t stamp = stamp_of(key);
  Answer answer = search_memory(key, type, stamp, miss, old.windows, &old);
  if (!answer && !old.found) answer = search_below(key, type, stamp, start_ns, miss, old.windows, &old);
  if (later && old.use == Use::due) return old.answer;
  if (!answer && store_) {
    // Another process may have published between that look and the lease: look once more.
    std::optional<store::Lease> lease = store_->try_lease(key);
    if (!lease && old.use == Use::due) return old.answer;
    const bool waited = !lease;
    if (waited) {
      counters_.add(Counter::lease_waited);
      const store::WaitNotice notice = announce_wait(key, &flight);
      lease = store_->wait_lease(key);
    }
    Old before = std::exchange(old, Old{old.windows});
    const std::uint64_t now = stamp_of(key);
    answer = search_below(key, type, now, start_ns, miss, old.windows, &old);
    // What only memory has.
    if (!answer && !old.found && !store::Store::overtaken(before.stamp, now)) old = std::move(before);
    if (!answer && waited) counters_.add(Counter::lease_takeover);
    if (!answer && lease) flight.hold(*std::move(lease));
  }
  if (answer) return answer;
  flight.started_ns = base::monotonic_ns();
  flight.begun = tags().moment();
  if (store_) flight.clears = store_->clears();
  flight.old = std::move(old);
  return answer;
}

bool Core::admitted(const Value& value, const Type& type, const EntryOptions& options, const Terms& terms) {
  base::expect_no_lock("store_if");
  const bool asked = options.store_if && !is_negative(type);
  if (asked && options.store_if.type() != *type.id) {
    throw Error(Errc::type_mismatch, "store_if takes another type than the entry, which is " + type.name(),
                "let the predicate take the type that is cached, by const reference");
  }
  if (terms.ttl > std::chrono::nanoseconds(0) && (!asked || options.store_if(value.get()))) return true;
  counters_.add(Counter::not_stored_predicate);
  return false;
}

PutOutcome Core::publish(const Key& key, const Value& value, const Type& type, const Terms& terms,
                         std::chrono::nanoseconds cost, std::uint64_t stamp, Flight* flight) noexcept {
  PutOutcome outcome;
  std::vector<Value> gone;  // destroyed when no lock is held
  try {
    const StampedOwner* const carried = stamped_owner(value);
    const store::Meta meta = meta_of(key, type, terms, cost, carried == nullptr ? store::Stamps() : carried->stamps);
    const std::uint64_t weight = type.weight(value.get());
    // Who asks ahead of its end is to know when that is.
    const bool ends = meta.fresh_ms != store::k_no_expiry || terms.ahead;
    const Value kept = ends ? with_stamps(value, meta.stamps, meta.fresh_until()) : value;
    const auto to_memory = [&] {
      if (!memory_) return;
      outcome.in_memory = memory_->put(key,
                                       {.value = kept,
                                        .type = &type,
                                        .weight = weight,
                                        .cost_ns = meta.cost_ns,
                                        .created_ms = meta.created_ms,
                                        .expires_ms = meta.expires_ms,
                                        .stamp = stamp},
                                       gone);
      counters_.add(outcome.in_memory ? Counter::memory_put : Counter::not_stored_too_large);
    };
    const auto unless_overtaken = [&](const auto& act) {
      if (flight != nullptr) return flight->unless_overtaken(act);
      act();
      return true;
    };
    // Written through, an older value is found by other processes until this one takes its place in the store: nobody
    // here is to see this one earlier.
    // Where the older value is still kept, the same holds for what is computed in its place: until then everybody else
    // goes on with the older one, and a kill in between loses neither. But what waits in the queue is written in order.
    const bool in_place = flight != nullptr && flight->old.found && store_ && !write_back_->find(key, stamp);
    const WriteMode write = in_place ? WriteMode::through : write_;
    const bool store_first = store_ && write == WriteMode::through;
    if (!unless_overtaken([&] {
          if (!store_first) to_memory();
        })) {
      counters_.add(Counter::not_stored_superseded);
      return outcome;
    }
    if (store_) {
      outcome.in_store = to_store({.key = key,
                                   .value = kept,
                                   .type = &type,
                                   .meta = meta,
                                   .compression = terms.compression.value_or(compression_),
                                   .weight = weight,
                                   .stamp = stamp,
                                   .lease = flight == nullptr ? store::Lease() : flight->take_lease()},
                                  write);
    }
    const bool computed_but_refused = flight != nullptr && outcome.in_store == PutOutcome::Store::refused;
    if (store_first && (outcome.in_store == PutOutcome::Store::written || computed_but_refused)) {
      unless_overtaken(to_memory);
    }
  } catch (...) {
    // A codec that cannot weigh its value, or no memory left: the caller gets the value all the same.
    counters_.add(Counter::fault_codec);
    outcome.in_store = PutOutcome::Store::refused;
  }
  return outcome;
}

PutOutcome::Store Core::outcome_of(store::Put put) {
  store_->sync();
  switch (put) {
    case store::Put::stored:
      return PutOutcome::Store::written;
    case store::Put::superseded:
      return PutOutcome::Store::superseded;
    default:
      return PutOutcome::Store::refused;
  }
}

PutOutcome::Store Core::to_store(Pending pending, WriteMode write) {
  if (write == WriteMode::through) {
    return outcome_of(write_to_store(*store_, counters_, pending));
  }
  switch (write_back_->push(std::move(pending))) {
    case WriteBack::Pushed::queued:
      return PutOutcome::Store::queued;
    case WriteBack::Pushed::superseded:
      counters_.add(Counter::not_stored_superseded);
      return PutOutcome::Store::superseded;
    case WriteBack::Pushed::full:
      break;
  }
  counters_.add(Counter::not_stored_queue_full);
  return PutOutcome::Store::refused;
}

PutOutcome Core::put(const Key& key, const Value& value, const Type& type, const EntryOptions& options,
                     std::optional<std::uint64_t> begun) {
  const std::uint64_t began = begun.value_or(tags().moment());
  Terms terms = resolve(options);
  const bool keep = admitted(value, type, options, terms);
  // What the key had is gone for everybody from here on, whatever becomes of the new value: also what
  // another process has in its memory alone, or in its queue, and what is being computed in this one.
  flights_.overtake(key);
  std::uint64_t stamp = 0;
  std::uint64_t older = 0;  // the last moment at which what is put over here can have been written
  if (store_) {
    write_back_->cancel(key);
    // Written through, the older value stays until the new one takes its place: a kill in between loses neither.
    stamp = keep && write_ == WriteMode::through ? store_->touch(key) : store_->make_way(key);
    older = tags().moment();
  }
  if (!keep) {
    if (memory_) memory_->remove(key);
    return {};
  }
  const PutOutcome outcome = publish(key, with_stamps(value, {began, std::move(terms.tags)}), type, terms,
                                     terms.cost.value_or(std::chrono::nanoseconds(0)), stamp, nullptr);
  // Another put came later, and its value may take a while yet.
  if (outcome.in_store == PutOutcome::Store::superseded && write_ == WriteMode::through) {
    store_->remove_older(key, older);
  }
  const bool nowhere = outcome.in_store == PutOutcome::Store::refused && !outcome.in_memory;
  if (nowhere || (outcome.in_store == PutOutcome::Store::refused && write_ == WriteMode::through)) forget(key);
  return outcome;
}

void Core::forget(const Key& key) {
  if (store_) {
    write_back_->cancel(key);
    store_->remove(key);
  }
  if (memory_) memory_->remove(key);
}

std::chrono::nanoseconds Core::count_computation(const Flight& flight) {
  const std::chrono::nanoseconds took(base::monotonic_ns() - flight.started_ns);
  counters_.add(Counter::computation);
  counters_.add(Counter::computed_ns, nanoseconds_of(took));
  return took;
}

Answer Core::fulfil(Flight& flight, const Value& value, const Type& type, const EntryOptions& options,
                    PutOutcome* outcome) {
  const std::chrono::nanoseconds took = count_computation(flight);
  // Those who wait receive the value in any case: unusable options, or a store_if that throws, are this
  // caller's trouble.
  Answer answer{value, Tier::computed, took, std::chrono::nanoseconds(0), is_negative(type)};
  std::exception_ptr trouble;
  try {
    Terms terms = resolve(options);
    if (answer.negative) terms.ttl = options.negative_ttl.nanoseconds().value();
    answer.value = with_stamps(value, {flight.begun, std::move(terms.tags)});
    answer.cost = terms.cost.value_or(took);
    const bool keep = admitted(value, type, options, terms);
    // The stamp first: what overtakes this flight after the question makes the stamp an old one. What takes an older
    // value's place takes only that one's.
    const std::uint64_t stamp_now = stamp_of(flight.key);
    const std::uint64_t stamp = flight.old.found ? flight.old.stamp : stamp_now;
    const bool changed = store::Store::overtaken(stamp, stamp_now) || (store_ && store_->clears() != flight.clears);
    if (keep && (changed || outdated(answer.value))) {
      counters_.add(Counter::not_stored_superseded);
    } else if (keep) {
      const PutOutcome published = publish(flight.key, answer.value, type, terms, answer.cost, stamp, &flight);
      if (outcome != nullptr) *outcome = published;
      if (flight.old.found) counters_.add(Counter::refreshed);
    }
  } catch (...) {
    trouble = std::current_exception();
  }
  flight.take_lease().release();
  flights_.end(flight, {answer, &type, nullptr});
  if (trouble) std::rethrow_exception(trouble);
  return answer;
}

void Core::fail(Flight& flight, std::exception_ptr reason) noexcept {
  counters_.add(Counter::computation_failed);
  flight.take_lease().release();
  flights_.end(flight, {{}, nullptr, std::move(reason)});
}

Answer Core::fail_over(Flight& flight, const std::exception_ptr& reason) noexcept {
  Old old = std::move(flight.old);
  // Its windows began with its end; what it was fresh for is over by now, perhaps.
  const bool in_time =
      old.answer && use_of(old.fresh_ms, clock_.now_ms(), {INT64_MAX, 0, old.windows.on_error_ms}) != Use::others;
  const bool unchanged = !store::Store::overtaken(old.stamp, stamp_of(flight.key)) &&
                         (!store_ || store_->clears() == flight.clears) && flight.unless_overtaken([] {});
  const bool taken = in_time && unchanged && !outdated(old.answer.value);
  fail(flight, reason);
  if (!taken) return {};
  counters_.add(Counter::answered_on_error);
  tell(Counter::answered_on_error, flight.key, "its older value is the answer", reason);
  return std::move(old.answer);
}

void Core::tell(Counter counted, const Key& key, const char* consequence, const std::exception_ptr& reason) noexcept {
  if (!on_event_) return;
  try {
    std::string text = "computing " + key.short_text() + " failed; " + consequence;
    try {
      std::rethrow_exception(reason);
    } catch (const std::exception& thrown) {
      text += std::string(": ") + thrown.what();
    } catch (...) {
      text += ": not a std::exception";
    }
    base::expect_no_lock("on_event");
    on_event_({counted, text});
  } catch (const std::bad_alloc&) {
    counters_.add(Counter::fault_other);
  }
}

bool Core::remove(const Key& key) {
  const bool there = entry(key).has_value();
  flights_.overtake(key);
  forget(key);
  if (there) counters_.add(Counter::removed);
  return there;
}

void Core::invalidate(std::string_view tag) {
  if (store_) {
    store_->invalidate(store::tag_id(tag));
  } else {
    tags().invalidate(store::tag_id(tag));
  }
  counters_.add(Counter::invalidated);
}

void Core::clear() {
  flights_.overtake_all();
  if (store_) {
    write_back_->cancel_all();
    store_->clear();
  }
  if (memory_) memory_->clear();
  counters_.add(Counter::cleared);
}

void Core::flush() {
  if (!store_) return;
  write_back_->flush();
  count_memory();
  counters_.share(store_->shared_counters());
}

std::filesystem::path Core::directory() const {
  return store_ ? store_->directory() : std::filesystem::path();
}

}  // namespace larder::detail
