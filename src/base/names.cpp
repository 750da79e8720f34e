// Names of the vocabulary's enums.
#include <larder/entry.hpp>
#include <larder/stats.hpp>

namespace larder {

std::string_view counter_name(Counter counter) {
  static_assert(k_counters == 48, "name the new counter here");
  switch (counter) {
    case Counter::memory_hit:
      return "memory_hit";
    case Counter::store_hit:
      return "store_hit";
    case Counter::coalesced:
      return "coalesced";
    case Counter::miss_absent:
      return "miss_absent";
    case Counter::miss_expired:
      return "miss_expired";
    case Counter::miss_damaged:
      return "miss_damaged";
    case Counter::miss_degraded:
      return "miss_degraded";
    case Counter::revalidated:
      return "revalidated";
    case Counter::computation:
      return "computation";
    case Counter::computation_failed:
      return "computation_failed";
    case Counter::computed_ns:
      return "computed_ns";
    case Counter::saved_ns:
      return "saved_ns";
    case Counter::stored:
      return "stored";
    case Counter::stored_bytes:
      return "stored_bytes";
    case Counter::memory_put:
      return "memory_put";
    case Counter::memory_evicted:
      return "memory_evicted";
    case Counter::memory_expired:
      return "memory_expired";
    case Counter::not_stored_predicate:
      return "not_stored_predicate";
    case Counter::not_stored_too_large:
      return "not_stored_too_large";
    case Counter::not_stored_queue_full:
      return "not_stored_queue_full";
    case Counter::not_stored_no_room:
      return "not_stored_no_room";
    case Counter::removed:
      return "removed";
    case Counter::cleared:
      return "cleared";
    case Counter::segments_reclaimed:
      return "segments_reclaimed";
    case Counter::index_evicted:
      return "index_evicted";
    case Counter::lease_waited:
      return "lease_waited";
    case Counter::lease_takeover:
      return "lease_takeover";
    case Counter::rebuilt:
      return "rebuilt";
    case Counter::fault_no_space:
      return "fault_no_space";
    case Counter::fault_io:
      return "fault_io";
    case Counter::fault_permission:
      return "fault_permission";
    case Counter::fault_damaged_record:
      return "fault_damaged_record";
    case Counter::fault_damaged_file:
      return "fault_damaged_file";
    case Counter::fault_codec:
      return "fault_codec";
    case Counter::fault_other:
      return "fault_other";
    case Counter::not_stored_superseded:
      return "not_stored_superseded";
    case Counter::miss_invalidated:
      return "miss_invalidated";
    case Counter::invalidated:
      return "invalidated";
    case Counter::reinserted:
      return "reinserted";
    case Counter::reinserted_bytes:
      return "reinserted_bytes";
    case Counter::compressed:
      return "compressed";
    case Counter::compressed_saved_bytes:
      return "compressed_saved_bytes";
    case Counter::decompressed:
      return "decompressed";
    case Counter::stale_hit:
      return "stale_hit";
    case Counter::answered_on_error:
      return "answered_on_error";
    case Counter::refreshed:
      return "refreshed";
    case Counter::refresh_dropped:
      return "refresh_dropped";
    case Counter::negative_hit:
      return "negative_hit";
  }
  return "unknown";
}

const char* tier_name(Tier tier) {
  switch (tier) {
    case Tier::memory:
      return "memory";
    case Tier::store:
      return "store";
    case Tier::computed:
      return "computed";
  }
  return "unknown";
}

}  // namespace larder
