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

namespace larder::observe {

// Thread-safe. Never calls back, never blocks in add().
class Counters {
 public:
  void add(Counter counter, std::uint64_t amount = 1) noexcept;

  // Everything counted since construction.
  [[nodiscard]] std::array<std::uint64_t, k_counters> totals() const noexcept;

  // Adds what was counted since the last call to `shared`, a table that other processes add to as well
  // and that may be shorter than k_counters. Safe to call from several threads.
  void share(std::span<std::atomic<std::uint64_t>> shared) noexcept;

 private:
  static constexpr std::size_t k_stripes = 64;
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, k_counters> counts{};
  };

  std::array<Stripe, k_stripes> stripes_;
  std::mutex sharing_;                              // guards shared_
  std::array<std::uint64_t, k_counters> shared_{};  // the part of totals() that share() has handed over
};

}  // namespace larder::observe
