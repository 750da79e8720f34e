// Values that tell whose they are: any process can say whether bytes are a value of a key, and which.
#pragma once

#include <cstdint>
#include <string>

namespace larder::test {

// A value of `key` number `version`: its length and every byte follow from both, so that a value of
// another key or version, or a torn one, is recognized. Lengths are 0 to `bytes_max`, most of them small.
inline std::string value_of(std::uint64_t key, std::uint64_t version, std::size_t bytes_max) {
  std::uint64_t state = key * 0x9e3779b97f4a7c15ULL ^ (version + 1) * 0xd1342543de82ef95ULL;
  const auto next = [&state] {
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  };
  const std::size_t shift = next() % 12;
  const std::size_t length = next() % ((bytes_max >> shift) + 1);
  std::string value(length, '\0');
  for (std::size_t i = 0; i < length; i += 8) {
    const std::uint64_t word = next();
    for (std::size_t j = i; j < length && j < i + 8; ++j) value[j] = static_cast<char>(word >> (8 * (j - i)));
  }
  return value;
}

}  // namespace larder::test
