#include "cache/writing.hpp"

#include "base/clock.hpp"

namespace larder::detail {

namespace {

Terms usable_terms(const EntryOptions& options) {
  if (options.store_if) {
    throw Error(Errc::invalid_option, "store_if cannot be asked about a value that is written piece by piece",
                "leave it out, and abandon the writer of a value that is not to be kept");
  }
  return resolve(options);
}

}  // namespace

Writing::Writing(std::shared_ptr<Engine> engine, const Key& key, const Form& form, const EntryOptions& options,
                 std::shared_ptr<Flight> flight)
    : engine_(std::move(engine)),
      generation_(engine_->core().generation),
      key_(key),
      form_(form),
      options_(options),
      terms_(usable_terms(options)),
      flight_(std::move(flight)),
      begun_(engine_->core().moment()),
      stamp_(engine_->core().stamp_of(key)),
      memory_max_(engine_->core().streams_from(terms_)) {}

bool Writing::write(Bytes bytes) {
  if (!streamed_) {
    if (form_.front_bytes + rest_.size() + bytes.size() < memory_max_ || !at_home()) {
      rest_.insert(rest_.end(), bytes.begin(), bytes.end());
      return true;
    }
    stream();
  }
  return at_home() && streamed_->write(bytes);
}

void Writing::stream() {
  streamed_ = engine_->core().begin_stream(key_, *form_.type, terms_, form_.front_bytes);
  streamed_->write(rest_);
  std::vector<std::byte>().swap(rest_);
}

PutOutcome Writing::publish(Bytes front) {
  const std::shared_ptr<Flight> flight = std::exchange(flight_, nullptr);
  Core& core = engine_->core();
  if (streamed_ && !at_home()) return {.in_store = PutOutcome::Store::refused};
  try {
    if (!streamed_) return publish_object(core, flight, front);
    store::StreamedPut streamed = *std::exchange(streamed_, std::nullopt);
    if (flight != nullptr) return core.publish(streamed, *flight, *form_.type, terms_, front);
    if (core.overtaken(key_, stamp_)) return {.in_store = PutOutcome::Store::superseded};
    return core.publish(streamed, key_, *form_.type, terms_, begun_, front);
  } catch (...) {
    if (flight != nullptr && at_home() && flight->running()) core.fail(*flight, std::current_exception());
    throw;
  }
}

PutOutcome Writing::publish_object(Core& core, const std::shared_ptr<Flight>& flight, Bytes front) {
  const Value value = form_.hold(front, std::move(rest_));
  if (flight != nullptr && at_home()) {
    PutOutcome outcome;
    core.fulfil(*flight, value, *form_.type, options_, &outcome);
    return outcome;
  }
  if (flight == nullptr && at_home() && core.overtaken(key_, stamp_))
    return {.in_store = PutOutcome::Store::superseded};
  return core.put(key_, value, *form_.type, options_, flight == nullptr ? begun_ : flight->begun);
}

void Writing::abandon(std::exception_ptr reason) noexcept {
  streamed_.reset();
  const std::shared_ptr<Flight> flight = std::exchange(flight_, nullptr);
  if (flight != nullptr && at_home()) engine_->core().fail(*flight, std::move(reason));
}

}  // namespace larder::detail
