#include "observe/counters.hpp"

#include <algorithm>
#include <vector>

namespace larder::observe {
namespace {

// Gives every living thread a number of its own, the smallest that is free; the same in every Counters.
class Turns {
 public:
  static Turns& instance() {
    static Turns& turns = *new Turns;  // never destroyed: threads may end after statics are gone
    return turns;
  }
  std::size_t take() {
    const std::lock_guard lock(mutex_);
    const auto free = std::ranges::find(taken_, false);
    const auto turn = static_cast<std::size_t>(free - taken_.begin());
    if (free == taken_.end()) taken_.push_back(true);
    taken_[turn] = true;
    return turn;
  }
  // What the thread counted is visible to the next one that takes the number: the mutex sees to that.
  void give_back(std::size_t turn) {
    const std::lock_guard lock(mutex_);
    taken_[turn] = false;
  }

 private:
  std::mutex mutex_;
  std::vector<bool> taken_;
};

struct Turn {
  const std::size_t number = Turns::instance().take();
  ~Turn() { Turns::instance().give_back(number); }
};

std::size_t this_threads_turn() {
  thread_local const Turn turn;
  return turn.number;
}

}  // namespace

void Counters::add(Counter counter, std::uint64_t amount) noexcept {
  const std::size_t turn = this_threads_turn();
  constexpr std::size_t k_shared = k_stripes - 1;
  std::atomic<std::uint64_t>& count = stripes_[std::min(turn, k_shared)].counts[static_cast<std::size_t>(counter)];
  if (turn < k_shared) {
    count.store(count.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  } else {
    count.fetch_add(amount, std::memory_order_relaxed);
  }
}

std::array<std::uint64_t, k_counters> Counters::totals() const noexcept {
  std::array<std::uint64_t, k_counters> totals{};
  for (const Stripe& stripe : stripes_) {
    for (std::size_t i = 0; i < k_counters; ++i) totals[i] += stripe.counts[i].load(std::memory_order_relaxed);
  }
  return totals;
}

void Counters::share(std::span<std::atomic<std::uint64_t>> shared) noexcept {
  // Totals are read under the lock: read before it, they could be older than shared_.
  const std::lock_guard lock(sharing_);
  const auto counted = totals();
  for (std::size_t i = 0; i < std::min(shared.size(), k_counters); ++i) {
    if (counted[i] == shared_[i]) continue;
    shared[i].fetch_add(counted[i] - shared_[i], std::memory_order_relaxed);
    shared_[i] = counted[i];
  }
}

}  // namespace larder::observe
