// The limit of the memory tier: bytes and entries that may be in, and that are. One for all shards.
#pragma once

#include <atomic>
#include <cstdint>

#include "memory/memory.hpp"

namespace larder::memory {

// Thread-safe, lock-free. What is in never exceeds the limits, provided that what enters is reserved
// before it enters and what leaves is released after it left.
class Budget {
 public:
  explicit Budget(Limits limits) : limits_(limits) {}

  // Reserves one entry of `bytes`; false, and nothing reserved, if that does not fit now.
  [[nodiscard]] bool reserve(std::uint64_t bytes) {
    if (!add(bytes_, bytes, limits_.bytes)) return false;
    if (add(entries_, 1, limits_.entries)) return true;
    bytes_.fetch_sub(bytes);
    return false;
  }
  void release(std::uint64_t bytes) {
    entries_.fetch_sub(1);
    bytes_.fetch_sub(bytes);
  }

  // Reserves the difference for an entry that is replaced by a heavier one; false: does not fit now.
  [[nodiscard]] bool grow(std::uint64_t bytes) { return add(bytes_, bytes, limits_.bytes); }
  void shrink(std::uint64_t bytes) { bytes_.fetch_sub(bytes); }

  // Whether an entry of `bytes` could ever be in.
  [[nodiscard]] bool admits(std::uint64_t bytes) const { return bytes <= limits_.bytes && limits_.entries > 0; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(); }
  [[nodiscard]] std::uint64_t entries() const { return entries_.load(); }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  static bool add(std::atomic<std::uint64_t>& sum, std::uint64_t amount, std::uint64_t limit) {
    std::uint64_t now = sum.load();
    do {
      if (now > limit || amount > limit - now) return false;
    } while (!sum.compare_exchange_weak(now, now + amount));
    return true;
  }

  const Limits limits_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> entries_{0};
};

}  // namespace larder::memory
