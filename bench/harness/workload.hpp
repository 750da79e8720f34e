// What is stored and asked for: keys, values that can be recognized, and how many of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <larder/key.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "harness/random.hpp"

namespace bench {

using Bytes = std::span<const std::byte>;

// One key in the two forms that contenders take: larder's, and the same canonical bytes for everybody else.
struct Key {
  explicit Key(std::uint64_t number) : key("fit", number) {
    const auto canonical = key.canonical();
    bytes.assign(reinterpret_cast<const char*>(canonical.data()), canonical.size());
  }
  larder::Key key;
  std::string bytes;
};

// How many records of one size an experiment uses.
struct SizeClass {
  std::string_view name;
  std::uint64_t bytes;
  std::uint64_t records;  // in the store that is read
  std::uint64_t lookups;  // a repetition
  std::uint64_t puts;     // a repetition
};

// Values are incompressible words that follow from their seed, so that a reader can tell whose value it got.
[[nodiscard]] inline std::uint64_t value_word(std::uint64_t seed) noexcept {
  return mix(seed ^ 0x1a4de4);
}

inline void fill_value(std::span<std::byte> value, std::uint64_t seed) noexcept {
  std::uint64_t word = value_word(seed);
  for (std::size_t at = 0; at < value.size(); at += sizeof(word)) {
    std::memcpy(value.data() + at, &word, std::min(sizeof(word), value.size() - at));
    word ^= word << 13;
    word ^= word >> 7;
    word ^= word << 17;
  }
}

// Reads the start of a value, which is what makes its bytes "usable", and throws if it is not the one expected.
inline void expect_value(Bytes value, std::uint64_t bytes, std::uint64_t seed) {
  std::uint64_t word = 0;
  if (value.size() == bytes) std::memcpy(&word, value.data(), sizeof(word));
  if (word != value_word(seed)) throw std::runtime_error("a contender answered with something else than was stored");
}

// Reads every byte.
[[nodiscard]] inline std::uint64_t sum_of_words(Bytes value) noexcept {
  std::uint64_t sum = 0;
  std::uint64_t word = 0;
  for (std::size_t at = 0; at + sizeof(word) <= value.size(); at += sizeof(word)) {
    std::memcpy(&word, value.data() + at, sizeof(word));
    sum += word;
  }
  return sum;
}

// A lookup to make and the record it should find. Sequences of them are built before the clock starts.
struct Lookup {
  Key key;
  std::uint64_t number;
};

// Whether all records are asked for alike, or few of them most of the time (Zipf, exponent 0.99).
enum class Spread { uniform, zipf };

// `count` numbers below `bound`, in the order in which they are asked for. Zipf's ranks are scattered over the numbers:
// those asked for most do not lie side by side.
[[nodiscard]] inline std::vector<std::uint64_t> draw_numbers(Spread spread, std::uint64_t bound, std::uint64_t count) {
  Random random(7);
  const bool zipf = spread == Spread::zipf;
  const Zipf rank(zipf ? bound : 0, 0.99);
  const std::vector<std::uint32_t> ranked = permutation(zipf ? bound : 0, random);
  std::vector<std::uint64_t> numbers(count);
  for (std::uint64_t& number : numbers) number = zipf ? ranked[rank(random)] : random.below(bound);
  return numbers;
}

[[nodiscard]] inline std::vector<Lookup> make_lookups(Spread spread, std::uint64_t records, std::uint64_t count) {
  std::vector<Lookup> result;
  result.reserve(count);
  for (const std::uint64_t number : draw_numbers(spread, records, count)) result.push_back({Key(number), number});
  return result;
}

}  // namespace bench
