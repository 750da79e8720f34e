// How a value that was streamed into the store becomes the key's.
#include "base/clock.hpp"
#include "cache/core.hpp"

namespace larder::detail {

namespace {

// Beyond this a value that comes in parts is not compressed.
constexpr std::uint64_t k_compressed_in_memory_max = std::uint64_t{64} << 20;

}  // namespace

std::uint64_t Core::streams_from(const Terms& terms) const noexcept {
  // What is not kept is only handed on.
  if (!store_ || terms.ttl <= std::chrono::nanoseconds(0)) return UINT64_MAX;
  // A frame begins with how long its parts have become: what is to be compressed is needed as a whole.
  const bool compressed = terms.compression.value_or(compression_) != Compression::none;
  return compressed ? std::max(store_->large_bytes_min(), k_compressed_in_memory_max) : store_->large_bytes_min();
}

store::StreamedPut Core::begin_stream(const Key& key, const Type& type, const Terms& terms, std::uint64_t front_bytes) {
  const store::Meta meta = meta_of(key, type, terms, std::chrono::nanoseconds(0), {0, terms.tags});
  return store::StreamedPut(*store_, key, meta, front_bytes);
}

bool Core::overtaken(const Key& key, std::uint64_t stamp) {
  if (!store_ || !store::Store::overtaken(stamp, store_->stamp(key))) return false;
  counters_.add(Counter::not_stored_superseded);
  return true;
}

PutOutcome Core::publish(store::StreamedPut& value, const Key& key, const Type& type, const Terms& terms,
                         std::uint64_t begun, Bytes front) {
  // As put() does where it writes through.
  flights_.overtake(key);
  write_back_->cancel(key);
  const std::uint64_t stamp = store_->touch(key);
  const std::uint64_t older = moment();
  const store::Meta meta =
      meta_of(key, type, terms, terms.cost.value_or(std::chrono::nanoseconds(0)), {begun, terms.tags});
  PutOutcome outcome;
  outcome.in_store = outcome_of(count_refusal(counters_, value.publish(meta, front, stamp)));
  if (outcome.in_store == PutOutcome::Store::superseded) store_->remove_older(key, older);
  if (outcome.in_store == PutOutcome::Store::refused) forget(key);
  return outcome;
}

PutOutcome Core::publish(store::StreamedPut& value, Flight& flight, const Type& type, const Terms& terms, Bytes front) {
  const std::chrono::nanoseconds took = count_computation(flight);
  const store::Meta meta = meta_of(flight.key, type, terms, terms.cost.value_or(took), {flight.begun, terms.tags});
  // The stamp first: what overtakes this flight after the question makes the stamp an old one.
  const std::uint64_t stamp = stamp_of(flight.key);
  const bool stands =
      store_->clears() == flight.clears && tags().current(meta.stamps) && flight.unless_overtaken([] {});
  PutOutcome outcome;
  if (stands) {
    outcome.in_store = outcome_of(count_refusal(counters_, value.publish(meta, front, stamp)));
  } else {
    counters_.add(Counter::not_stored_superseded);
    outcome.in_store = PutOutcome::Store::superseded;
  }
  // Who waits looks for itself: in the store, without a copy that nobody here needs.
  flight.take_lease().release();
  flights_.end(flight, {});
  return outcome;
}

}  // namespace larder::detail
