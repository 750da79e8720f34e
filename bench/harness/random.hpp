// Reproducible randomness: a generator, a Zipf distribution, and a shuffle.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace bench {

// SplitMix64's output function: a bijection that leaves no pattern.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(mix(seed)) {}

  // Uniform in [0, bound). The bias of the multiplication is below 2^-32 for the bounds used here.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept { return ((next() >> 32) * bound) >> 32; }
  // Uniform in [0, 1).
  [[nodiscard]] double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t next() noexcept { return mix(state_ += 0x9e3779b97f4a7c15); }
  std::uint64_t state_;
};

// 0 … count-1 in random order.
[[nodiscard]] inline std::vector<std::uint32_t> permutation(std::uint64_t count, Random& random) {
  std::vector<std::uint32_t> result(count);
  std::iota(result.begin(), result.end(), 0U);
  for (std::uint64_t i = count; i > 1; --i) std::swap(result[i - 1], result[random.below(i)]);
  return result;
}

// Ranks 0 … count-1, rank r with probability proportional to 1 / (r + 1)^exponent. Exact: looks up the cumulative sums.
class Zipf {
 public:
  Zipf(std::uint64_t count, double exponent) {
    double sum = 0;
    for (std::uint64_t rank = 0; rank < count; ++rank) {
      sum += std::pow(static_cast<double>(rank + 1), -exponent);
      cumulative_.push_back(sum);
    }
  }
  [[nodiscard]] std::uint64_t operator()(Random& random) const {
    const auto found = std::ranges::upper_bound(cumulative_, random.unit() * cumulative_.back());
    return std::min<std::uint64_t>(static_cast<std::uint64_t>(found - cumulative_.begin()), cumulative_.size() - 1);
  }

 private:
  std::vector<double> cumulative_;
};

}  // namespace bench
