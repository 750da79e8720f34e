#include "base/thread_number.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

namespace larder::base {
namespace {

constexpr unsigned k_word_bits = 64;

std::array<std::atomic<std::uint64_t>, k_thread_numbers / k_word_bits> taken;

unsigned lowest_free() noexcept {
  for (unsigned word = 0; word < taken.size(); ++word) {
    for (std::uint64_t seen = taken[word]; ~seen != 0;) {
      const auto free = static_cast<unsigned>(std::countr_one(seen));
      const std::uint64_t bit = std::uint64_t{1} << free;
      seen = taken[word].fetch_or(bit);
      if ((seen & bit) == 0) return word * k_word_bits + free;
    }
  }
  return k_thread_numbers;
}

struct Holder {
  Holder() noexcept { detail::own_number = lowest_free(); }
  ~Holder() {
    const unsigned number = std::exchange(detail::own_number, k_thread_numbers);
    if (number < k_thread_numbers) taken[number / k_word_bits] &= ~(std::uint64_t{1} << number % k_word_bits);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
};

}  // namespace

constinit thread_local unsigned detail::own_number = k_not_asked;

void detail::take_number() noexcept {
  thread_local const Holder holder;
}

}  // namespace larder::base
