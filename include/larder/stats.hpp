// What a cache did and what that saved. Always on.
//
// Counting rules: a lookup (get, get_or_compute, claim) counts exactly once, as a hit of the tier that
// answered, as a miss with its reason, or as coalesced (it waited for a computation that another caller
// led). A computation counts once where it ran. Faults count in addition to the miss they cause.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <larder/version.hpp>

namespace larder {

// The counters. The numbers index the store's shared table of counters: only ever append.
enum class Counter : std::uint8_t {
  memory_hit = 0,               // answered from this process's memory
  store_hit = 1,                // answered from the store
  coalesced = 2,                // waited for a computation of another thread
  miss_absent = 3,              // no tier has it: never seen, evicted or removed
  miss_expired = 4,             // its TTL had passed; or nearly, and this lookup computed it anew: refresh_ahead
  miss_damaged = 5,             // its bytes failed verification or did not decode
  miss_degraded = 6,            // the store is unusable, and memory did not have it
  revalidated = 7,              // memory had it, but another process changed the key: asked the store
  computation = 8,              // computations that ended with a value
  computation_failed = 9,       // computations that threw or were abandoned
  computed_ns = 10,             // wall time spent in computations
  saved_ns = 11,                // cost of everything that was answered without computing, less the time it took
  stored = 12,                  // records written to the store
  stored_bytes = 13,            // their bytes, header and key included
  memory_put = 14,              // values admitted to memory
  memory_evicted = 15,          // left memory because room was needed
  memory_expired = 16,          // left memory because their time was over
  not_stored_predicate = 17,    // kept nowhere: store_if said no, or the TTL is zero
  not_stored_too_large = 18,    // larger than the tier's limit
  not_stored_queue_full = 19,   // dropped: the write-back queue was full
  not_stored_no_room = 20,      // dropped: pinned values fill the store's limit
  removed = 21,                 // entries removed by key
  cleared = 22,                 // clear() calls
  segments_reclaimed = 23,      // segments freed to hold the limit
  index_evicted = 24,           // entries forgotten because their index bucket was full
  lease_waited = 25,            // waited for a computation in another process
  lease_takeover = 26,          // took over after another process ended without publishing
  rebuilt = 27,                 // the index was rebuilt (first open after a boot, or damage)
  fault_no_space = 28,          // the disk or its quota was full
  fault_io = 29,                // the system refused a read, a write or a mapping
  fault_permission = 30,        // the directory or a file in it may not be used
  fault_damaged_record = 31,    // a record failed its checks
  fault_damaged_file = 32,      // a whole file of the store was missing, short or foreign
  fault_codec = 33,             // a codec threw while encoding or decoding
  fault_other = 34,             // anything else that was survived
  not_stored_superseded = 35,   // the key was changed or cleared, or a tag invalidated, before the value was written
  miss_invalidated = 36,        // a tag of it was invalidated
  invalidated = 37,             // invalidate() calls
  reinserted = 38,              // records written once more, because they were worth more than their segment's others
  reinserted_bytes = 39,        // their bytes, header and key included
  compressed = 40,              // of the records written to the store, those with a compressed value
  compressed_saved_bytes = 41,  // how many bytes shorter that made their values
  decompressed = 42,            // compressed values that the store answered with, and that were decoded
  stale_hit = 43,               // of the hits, those with a stale value: stale_while_revalidate
  answered_on_error = 44,       // a computation failed, and the old value was the answer: stale_if_error, refresh_ahead
  refreshed = 45,               // of the computations, those that took the place of a value that was still kept
  refresh_dropped = 46,         // what was due was not computed anew in the background: too much waits for that already
  negative_hit = 47,            // of the hits, those that said that there is no answer
};
inline constexpr std::size_t k_counters = 48;

// "memory_hit"; never empty.
LARDER_API std::string_view counter_name(Counter counter);

struct Stats {
  std::array<std::uint64_t, k_counters> counters{};

  std::uint64_t memory_bytes = 0;  // weight of what memory holds
  std::uint64_t memory_limit = 0;
  std::uint64_t memory_entries = 0;
  std::uint64_t store_bytes = 0;  // on disk: index, control files and unlinked but pinned files included
  std::uint64_t store_limit = 0;  // 0: no store
  std::uint64_t store_segments = 0;
  std::uint64_t queue_bytes = 0;  // waiting to be written back
  // Why the store is not used, or empty; and the cure, or empty.
  std::string degraded;
  std::string degraded_help;

  [[nodiscard]] std::uint64_t operator[](Counter counter) const { return counters[static_cast<std::size_t>(counter)]; }
  [[nodiscard]] std::uint64_t hits() const { return (*this)[Counter::memory_hit] + (*this)[Counter::store_hit]; }
  [[nodiscard]] std::uint64_t misses() const {
    return (*this)[Counter::miss_absent] + (*this)[Counter::miss_expired] + (*this)[Counter::miss_damaged] +
           (*this)[Counter::miss_degraded] + (*this)[Counter::miss_invalidated];
  }
  [[nodiscard]] std::uint64_t lookups() const { return hits() + misses() + (*this)[Counter::coalesced]; }
  // Hits among lookups; 0 when there were none.
  [[nodiscard]] double hit_ratio() const {
    return lookups() == 0 ? 0.0 : static_cast<double>(hits()) / static_cast<double>(lookups());
  }
  // Bytes written to the store for each byte that was put: 1 when nothing was reinserted; 0 when nothing was put.
  [[nodiscard]] double write_amplification() const {
    const auto stored = static_cast<double>((*this)[Counter::stored_bytes]);
    return stored == 0 ? 0.0 : (stored + static_cast<double>((*this)[Counter::reinserted_bytes])) / stored;
  }
  [[nodiscard]] std::chrono::nanoseconds saved() const { return std::chrono::nanoseconds((*this)[Counter::saved_ns]); }
  [[nodiscard]] std::chrono::nanoseconds computed() const {
    return std::chrono::nanoseconds((*this)[Counter::computed_ns]);
  }
};

}  // namespace larder
