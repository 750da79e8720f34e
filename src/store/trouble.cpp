#include "store/trouble.hpp"

namespace larder::store {

namespace {

// A store that rots file by file must not fill memory with what was already told.
constexpr std::size_t k_known_max = 1024;

Counter counter_of(const Error& error) {
  switch (error.code()) {
    case Errc::no_space:
      return Counter::fault_no_space;
    case Errc::permission:
      return Counter::fault_permission;
    case Errc::not_found:
    case Errc::damaged:
      return Counter::fault_damaged_file;
    case Errc::io:
    case Errc::exhausted:
      return Counter::fault_io;
    default:
      return Counter::fault_other;
  }
}

}  // namespace

void Trouble::note(Counter reason, const std::string& file, const std::string& text) {
  counters_.add(reason);
  if (!on_event_) return;
  const std::lock_guard lock(mutex_);
  if (known_.size() >= k_known_max || !known_.emplace(reason, file).second) return;
  pending_.push_back({reason, text});
  untold_.store(true, std::memory_order_relaxed);
}

void Trouble::note(const Error& error, const std::string& file) {
  note(counter_of(error), file, error.what());
}

void Trouble::tell_now() {
  std::vector<Event> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(pending_);
    untold_.store(false, std::memory_order_relaxed);
  }
  for (const Event& event : events) {
    base::expect_no_lock("on_event");
    on_event_(event);
  }
}

}  // namespace larder::store
