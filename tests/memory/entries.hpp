// Entries for the memory tier's tests: numbers as values, and values that call back when they die.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "memory/memory.hpp"

namespace larder::memory::test {

inline const base::Clock never_now([] { return std::int64_t{0}; });

inline Key key_of(std::uint64_t number) {
  return Key{"fit", number};
}

// What an entry with a short key and a value of `weight` is charged.
inline std::uint64_t charged(std::uint64_t weight) {
  return weight + k_entry_overhead;
}

inline Entry number(std::uint64_t value, std::uint64_t weight = 8) {
  Entry entry;
  entry.value = std::make_shared<const std::uint64_t>(value);
  entry.weight = weight;
  return entry;
}

inline std::uint64_t number_in(const detail::Value& value) {
  return *static_cast<const std::uint64_t*>(value.get());
}

// The number that the tier answers with, or nullopt.
inline std::optional<std::uint64_t> get_number(MemoryTier& tier, const Key& key, std::uint64_t stamp = 0) {
  const Lookup lookup = tier.get(key, stamp, never_now);
  if (lookup.value == nullptr) return std::nullopt;
  return number_in(lookup.value);
}

// An entry whose value calls `on_death` from its destructor.
inline Entry mortal(std::function<void()> on_death, std::uint64_t weight = 8) {
  struct Mortal {
    std::function<void()> on_death;
    explicit Mortal(std::function<void()> call) : on_death(std::move(call)) {}
    Mortal(const Mortal&) = delete;
    Mortal& operator=(const Mortal&) = delete;
    ~Mortal() { on_death(); }
  };
  Entry entry;
  entry.value = std::make_shared<const Mortal>(std::move(on_death));
  entry.weight = weight;
  return entry;
}

}  // namespace larder::memory::test
