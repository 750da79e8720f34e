// The cache room: the only one that knows more than one tier. It decides in which order tiers are asked,
// what goes up and what goes down; how a tier works is the tier's own business.
//
// The way of a lookup: memory -> (flight) -> write-back queue -> store -> lease -> compute. `get` takes
// the same way without the flight and the lease, and computes nothing.
//
// Freshness between processes: before a tier is asked, the key's stamp is read from the store (a load).
// Memory answers only with what was put under that stamp; what comes out of the store is put into memory
// under the stamp that was read *before* the store was asked, so that a change in between makes it stale
// and not current.
//
// Overwriting with write-back: `put` removes the old record before it returns, and queues the new one;
// until that is written other processes miss, but never see the old value after put() has returned.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <larder/cache.hpp>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "cache/flight.hpp"
#include "cache/freshness.hpp"
#include "cache/refresher.hpp"
#include "cache/stamped.hpp"
#include "cache/write_back.hpp"
#include "memory/memory.hpp"
#include "observe/counters.hpp"
#include "os/os.hpp"
#include "store/store.hpp"
#include "store/stored_value.hpp"
#include "store/streamed_put.hpp"

namespace larder::detail {

// What an entry's options come to, parsed.
struct Terms {
  std::chrono::nanoseconds ttl;
  std::chrono::nanoseconds grace;  // it is stale for so long after that
  double jitter;
  bool ahead;  // whether it is asked for ahead of its end
  std::optional<std::chrono::nanoseconds> cost;
  std::vector<store::TagId> tags;
  std::optional<Compression> compression;
};
// Throws Error(invalid_duration) or Error(invalid_option) for options that cannot be used.
Terms resolve(const EntryOptions& options);

// Whom Options::shared names. Errc::permission: a group in which the caller is not. Not to be asked in a forked child,
// where another thread's lock on the system's list of groups may be held for ever.
Result<os::Audience> audience_of(const std::string& shared);

// Everything of a cache that belongs to one process. Thread-safe.
class Core {
 public:
  // Does not fail for a store that is out of use: see `degraded`. `audience`: of options.shared.
  static Result<std::unique_ptr<Core>> open(const Options& options, const Result<os::Audience>& audience);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Whether this is a thread of the core's own: it can neither wait for itself nor destroy the core.
  [[nodiscard]] bool on_own_thread() const noexcept {
    return refresher_.on_own_thread() || (write_back_ && write_back_->on_own_thread());
  }

  Answer get(const Key& key, const Type& type);
  // `begun`: when the value was begun to be computed, if that was before this call.
  PutOutcome put(const Key& key, const Value& value, const Type& type, const EntryOptions& options,
                 std::optional<std::uint64_t> begun = std::nullopt);
  // An answer, or a flight that the caller leads.
  struct Claim {
    Answer answer;
    std::shared_ptr<Flight> flight;
    bool due = false;  // refresh_later() is to compute it anew
  };
  // `later`: whether what is due is not the caller's to compute.
  Claim claim(const Key& key, const Type& type, const Windows& windows, bool later);
  void refresh_later(const Key& key, Later computation);
  // `outcome`: what publishing it came to, for who wants to know.
  Answer fulfil(Flight& flight, const Value& value, const Type& type, const EntryOptions& options,
                PutOutcome* outcome = nullptr);
  void fail(Flight& flight, std::exception_ptr reason) noexcept;
  // The same; returns the older value that the flight was to replace, if its leader takes that instead.
  Answer fail_over(Flight& flight, const std::exception_ptr& reason) noexcept;

  // --- values in parts ---

  [[nodiscard]] std::uint64_t moment() const noexcept { return tags().moment(); }
  [[nodiscard]] std::uint64_t stamp_of(const Key& key) const { return store_ ? store_->stamp(key) : 0; }
  // From which size on a value with these terms is streamed into the store.
  [[nodiscard]] std::uint64_t streams_from(const Terms& terms) const noexcept;
  [[nodiscard]] store::StreamedPut begin_stream(const Key& key, const Type& type, const Terms& terms,
                                                std::uint64_t front_bytes);
  // Whether the key was put or removed since `stamp`; counts it then.
  bool overtaken(const Key& key, std::uint64_t stamp);
  // Publishes what was streamed: as put(), or as fulfil() does for a flight.
  PutOutcome publish(store::StreamedPut& value, const Key& key, const Type& type, const Terms& terms,
                     std::uint64_t begun, Bytes front);
  PutOutcome publish(store::StreamedPut& value, Flight& flight, const Type& type, const Terms& terms, Bytes front);

  // What is read in parts: a value of the store, or the encoded form of an object.
  struct Readable {
    struct Object {
      std::string type;
      Bytes bytes;
      std::shared_ptr<const void> owner;
    };
    std::optional<store::StoredValue> stored;
    std::optional<Object> object;
  };
  // Looks the key up, whatever its type.
  std::optional<Readable> read(const Key& key);

  std::optional<EntryInfo> entry(const Key& key);
  bool remove(const Key& key);
  void invalidate(std::string_view tag);
  void clear();
  std::vector<EntryInfo> entries();
  Stats stats();
  Stats shared_stats();
  void flush();
  [[nodiscard]] std::filesystem::path directory() const;

  // The process that made this core, in os::fork_generation()s.
  const std::uint64_t generation;

 private:
  explicit Core(const Options& options);

  // Goes on without the store.
  void degrade(Counter reason, const Error& why);

  // Asks memory alone; what it finds is kept, of whatever type, and fresh until `fresh_ms`, if that is said.
  memory::Lookup find_in_memory(const Key& key, std::uint64_t stamp, Counter& miss, std::int64_t& fresh_ms);
  // The same for one type and for what is fresh. Without an answer, `miss` says why, if memory knows more than that the
  // key is absent, and `old`, which may be null, what else there is for these windows.
  Answer search_memory(const Key& key, const Type& type, std::uint64_t stamp, Counter& miss, const Windows& windows,
                       Old* old);
  // Asks the queue and the store, and promotes what it finds. `since_ns`: when the lookup began, on the coarse clock.
  // Without an answer, `miss` and `old` as above, if the store knows more than that the key is absent.
  Answer search_below(const Key& key, const Type& type, std::uint64_t stamp, std::int64_t since_ns, Counter& miss,
                      const Windows& windows, Old* old);
  // The answer, if it is one without windows; else it is in `old`.
  Answer judged(Answer&& answer, std::int64_t fresh_ms, std::uint64_t stamp, Counter& miss, const Windows& windows,
                Old* old);
  // What claim() does when memory has no fresh value. `miss`: why.
  Claim claim_older_or_lead(const Key& key, const Type& type, const Windows& windows, bool later, Counter miss);
  // What a caller takes whose computation another caller has led, and that has failed.
  Answer search_on_error(const Key& key, const Type& type, const Windows& windows);
  Answer promote(const Key& key, const Type& type, std::uint64_t stamp, std::int64_t since_ns, store::Found&& found);
  // Leads the flight until it has an answer or has to compute. Without one, `miss` says why;
  // with one, `old` whether it is that one: then another process computes it anew, or it is to be done `later`.
  Answer lead(Flight& flight, const Type& type, Counter& miss, Old& old, bool later);
  // Computes what is due anew, unless somebody else does or has done so, or it is gone.
  void refresh(const Key& key, const Later& computation) noexcept;
  // To be held while waiting for another computation of the key. Throws Error(cycle) if that computation,
  // in whatever process, waits for one that this thread leads.
  // `mine`: the flight of that key which this thread leads itself, if it does.
  store::WaitNotice announce_wait(const Key& key, const Flight* mine);
  void count_answer(const Answer& answer);
  void count_answer(const Answer& answer, const Old& old);

  // Whether what waits in the queue is still an answer. If not, `miss` says why.
  [[nodiscard]] bool usable(const Pending& pending, Counter& miss) const;
  // Whether what is kept until later is fresh for who asks without windows. If not, `miss` says so.
  [[nodiscard]] bool fresh(std::int64_t fresh_ms, Counter& miss) const {
    if (over(fresh_ms)) miss = Counter::miss_expired;
    return !over(fresh_ms);
  }
  // Whether that time has come. Reads the clock only if there is one.
  [[nodiscard]] bool over(std::int64_t expires_ms) const {
    return expires_ms != memory::k_no_expiry && expires_ms <= clock_.now_ms();
  }
  // Whether a tag of the value was invalidated since its computation began.
  [[nodiscard]] bool outdated(const Value& value) const {
    return stamped_.load(std::memory_order_relaxed) && has_old_stamps(value);
  }
  [[nodiscard]] bool has_old_stamps(const Value& value) const;
  // The value as an entry with these tags, and fresh until then, is kept.
  Value with_stamps(Value value, store::Stamps stamps, std::int64_t fresh_ms = store::k_no_expiry);
  [[nodiscard]] store::TagTable tags() const noexcept {
    return store_ ? store_->tags() : store::TagTable(local_tags_->generations, local_tags_->clock);
  }

  // Says why a computation failed, and what came of it.
  void tell(Counter counted, const Key& key, const char* consequence, const std::exception_ptr& reason) noexcept;
  // Counts the flight's computation, which ends now; says how long it took.
  std::chrono::nanoseconds count_computation(const Flight& flight);
  std::optional<Readable> encoded(const Value& value, const Type& type, std::uint64_t cost_ns);
  // Puts the value, as of `stamp`, into memory and on its way to the store; nowhere if it comes from a `flight` that
  // was overtaken.
  PutOutcome publish(const Key& key, const Value& value, const Type& type, const Terms& terms,
                     std::chrono::nanoseconds cost, std::uint64_t stamp, Flight* flight) noexcept;
  // Takes the key out of every tier.
  void forget(const Key& key);
  PutOutcome::Store to_store(Pending pending, WriteMode write);
  // What a put that was written through came to, once it is synced.
  PutOutcome::Store outcome_of(store::Put put);
  // Whether the options let the value be kept; counts it if not.
  bool admitted(const Value& value, const Type& type, const EntryOptions& options, const Terms& terms);
  // What the store keeps of a value of which these are the terms, made now.
  [[nodiscard]] store::Meta meta_of(const Key& key, const Type& type, const Terms& terms, std::chrono::nanoseconds cost,
                                    store::Stamps stamps);
  // The key's TTL, with some of it taken off.
  [[nodiscard]] std::chrono::nanoseconds jittered(const Key& key, const Terms& terms) noexcept;
  void count_memory();
  void tick();

  observe::Counters counters_;
  const WriteMode write_;
  const Compression compression_;
  const std::function<void(const Event&)> on_event_;
  const base::Clock clock_;
  std::atomic<std::uint64_t> random_;  // another number each time it is used
  std::optional<Error> degraded_;      // why the store is not used; constant after open

  // Without a store, what it has: the generations of tags.
  struct LocalTags {
    std::array<store::TagTable::Counter, 65536> generations{};
    store::TagTable::Counter clock{1};
  };
  std::unique_ptr<LocalTags> local_tags_;  // there exactly if store_ is not
  std::atomic<bool> stamped_ = false;      // whether there ever was a value that carries something: hits then look

  std::unique_ptr<memory::MemoryTier> memory_;  // null: no memory tier
  std::uint64_t memory_limit_ = 0;
  std::unique_ptr<store::Store> store_;    // null: memory only, or degraded
  std::unique_ptr<WriteBack> write_back_;  // there exactly if store_ is
  FlightTable flights_;
  Refresher refresher_{[this](const Key& key, const Later& computation) { refresh(key, computation); }};

  base::Mutex counted_mutex_;
  memory::Usage counted_;  // guarded by counted_mutex_: what of memory's usage is in counters_ already
};

}  // namespace larder::detail
