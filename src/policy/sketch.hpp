// How often keys were asked for of late, about: a count-min sketch of counters of four bits that ages (TinyLFU:
// Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM TOS 2017; the layout in
// blocks of a cache line after Caffeine's FrequencySketch).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace larder::policy {

// Not thread-safe. Counts a key's additions up to 15, too high if keys collide in all four rows, and halves
// all of them from time to time.
class Sketch {
 public:
  static constexpr int k_max = 15;

  // Makes room for so many entries: 16 bytes for each, eight additions of each between two halvings. Never shrinks, nor
  // forgets faster: where sizes differ, a few heavy entries fill the cache at times, and what was learnt of the others
  // stays. What was counted stays, too.
  void fit(std::size_t entries) {
    while (blocks_.size() * k_block_entries < entries) {
      const std::size_t size = blocks_.size();
      blocks_.resize(2 * size);
      std::copy_n(blocks_.begin(), size, blocks_.begin() + static_cast<std::ptrdiff_t>(size));
    }
    period_ = std::max(period_, period_of(entries));
  }
  // The cache has another size from here on, so that this is how many entries there are room for.
  void resized(std::size_t entries) { period_ = period_of(entries); }
  void add(std::uint64_t fingerprint, int times) {
    Block& block = blocks_[at(fingerprint)];
    for (std::size_t row = 0; row < k_rows; ++row) {
      const Place place = of(fingerprint, row);
      const int count = block.count(place);
      block.set(place, std::min(count + times, k_max));
    }
    added_ += static_cast<std::uint64_t>(times);
    if (added_ >= period_) halve();
  }
  [[nodiscard]] int estimate(std::uint64_t fingerprint) const {
    const Block& block = blocks_[at(fingerprint)];
    int least = k_max;
    for (std::size_t row = 0; row < k_rows; ++row) least = std::min(least, block.count(of(fingerprint, row)));
    return least;
  }

 private:
  static constexpr std::size_t k_rows = 4;
  static constexpr std::size_t k_words = 8;
  static constexpr std::size_t k_block_entries = 4;  // a block is 64 bytes

  // A counter of a block.
  struct Place {
    std::size_t word;
    unsigned shift;
  };
  struct alignas(64) Block {
    std::array<std::uint64_t, k_words> words{};
    [[nodiscard]] int count(Place place) const { return static_cast<int>(words[place.word] >> place.shift & 15); }
    void set(Place place, int count) {
      words[place.word] &= ~(std::uint64_t{15} << place.shift);
      words[place.word] |= static_cast<std::uint64_t>(count) << place.shift;
    }
  };

  static std::uint64_t period_of(std::size_t entries) { return 8 * std::max<std::uint64_t>(entries, 1); }
  // The block by the low half of the fingerprint's bits, the counters by the high half: five bits for each row.
  [[nodiscard]] std::size_t at(std::uint64_t fingerprint) const { return fingerprint & (blocks_.size() - 1); }
  static Place of(std::uint64_t fingerprint, std::size_t row) {
    const auto bits = static_cast<unsigned>(fingerprint >> (44 + 5 * row));
    return {2 * row + (bits >> 4 & 1), 4 * (bits & 15)};
  }
  void halve() {
    for (Block& block : blocks_) {
      for (std::uint64_t& word : block.words) word = word >> 1 & 0x7777777777777777u;
    }
    added_ /= 2;
  }

  std::vector<Block> blocks_ = std::vector<Block>(16);  // a power of two of them
  std::uint64_t added_ = 0;
  std::uint64_t period_ = 8;
};

}  // namespace larder::policy
