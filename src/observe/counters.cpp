#include "observe/counters.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace larder::observe {
namespace {

// Which stripes have a thread, a bit each: every living thread has the lowest that was free, the same in every
// Counters. Without a lock, which a forked child might find locked for ever.
constinit std::atomic<std::uint64_t> taken{0};
static_assert(k_stripes <= 64);

std::size_t take_turn() noexcept {
  std::uint64_t now = taken.load(std::memory_order_relaxed);
  while (true) {
    const auto turn = static_cast<std::size_t>(std::countr_one(now));
    if (turn >= k_shared_stripe) return k_shared_stripe;
    // Acquire: what the thread before counted there is seen.
    if (taken.compare_exchange_weak(now, now | std::uint64_t{1} << turn, std::memory_order_acquire)) return turn;
  }
}

void give_back(std::size_t turn) noexcept {
  if (turn < k_shared_stripe) taken.fetch_and(~(std::uint64_t{1} << turn), std::memory_order_release);
}

struct Turn {
  Turn() { turn_of_thread = take_turn(); }
  ~Turn() { give_back(std::exchange(turn_of_thread, k_shared_stripe)); }
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
