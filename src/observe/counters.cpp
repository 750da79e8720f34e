#include "observe/counters.hpp"

#include <algorithm>
#include <utility>
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
  Turn() { turn_of_thread = Turns::instance().take(); }
  ~Turn() { Turns::instance().give_back(std::exchange(turn_of_thread, k_shared_stripe)); }
};

}  // namespace

constinit thread_local std::size_t turn_of_thread = k_no_turn;

void Counters::add_unusual(Counter counter, std::uint64_t amount) noexcept {
  if (turn_of_thread == k_no_turn) {
    thread_local const Turn turn;
    static_cast<void>(turn);
    if (turn_of_thread < k_shared_stripe) return add(counter, amount);
  }
  stripes_[k_shared_stripe].counts[static_cast<std::size_t>(counter)].fetch_add(amount, std::memory_order_relaxed);
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
