// The observe room: counting what happens, at a price that no hit feels.
//
// Counters are striped: each of the first threads has a stripe for itself, to which it adds with a plain
// load and store; the threads beyond share one and add atomically. Reading sums the stripes. What was counted is added
// to the store's shared table now and then (share()), so that the tool sees it while the process lives and after.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>

#include <larder/stats.hpp>

#include "base/mutex.hpp"

namespace larder::observe {

inline constexpr std::size_t k_stripes = 64;
inline constexpr std::size_t k_shared_stripe = k_stripes - 1;

// The stripe of the calling thread, which is its own if it is less than k_shared_stripe. Initial-exec: a hit reads it
// in one instruction in a shared library too, which may be loaded late all the same, being so little.
inline constexpr std::size_t k_no_turn = SIZE_MAX;
[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::size_t turn_of_thread;

// Thread-safe. Never calls back, never blocks in add().
class Counters {
 public:
  void add(Counter counter, std::uint64_t amount = 1) noexcept {
    const std::size_t turn = turn_of_thread;
    if (turn >= k_shared_stripe) return add_unusual(counter, amount);
    std::atomic<std::uint64_t>& count = stripes_[turn].counts[static_cast<std::size_t>(counter)];
    count.store(count.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  // Everything counted since construction.
  [[nodiscard]] std::array<std::uint64_t, k_counters> totals() const noexcept;

  // Adds what was counted since the last call to `shared`, a table that other processes add to as well
  // and that may be shorter than k_counters. Safe to call from several threads.
  void share(std::span<std::atomic<std::uint64_t>> shared) noexcept;

 private:
  // For a thread's first count, and for threads without a stripe of their own.
  void add_unusual(Counter counter, std::uint64_t amount) noexcept;

  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, k_counters> counts{};
  };

  std::array<Stripe, k_stripes> stripes_;
  base::Mutex sharing_;                              // guards shared_
  std::array<std::uint64_t, k_counters> shared_{};  // the part of totals() that share() has handed over
};

}  // namespace larder::observe
