#include "observe/counters.hpp"

#include <algorithm>

namespace larder::observe {
namespace {

// Threads take stripes in turn, one for life and the same in every Counters. More threads than stripes
// share some, which costs time but never a count.
std::size_t this_threads_turn() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t turn = next.fetch_add(1, std::memory_order_relaxed);
  return turn;
}

}  // namespace

void Counters::add(Counter counter, std::uint64_t amount) noexcept {
  Stripe& stripe = stripes_[this_threads_turn() % k_stripes];
  stripe.counts[static_cast<std::size_t>(counter)].fetch_add(amount, std::memory_order_relaxed);
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
