// Bytes of every kind that compressors meet, the same in every run.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace larder::test {

inline std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

// Nothing makes these smaller.
inline std::vector<std::byte> random_bytes(std::size_t length, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(length);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() >> 56U);
  return bytes;
}

// Lines such as programs log.
inline std::vector<std::byte> text_bytes(std::size_t length) {
  std::mt19937_64 random(2);
  const char* const words[] = {"routed", "net", "blocked by", "cell", "of layer", "in", "warning:", "retry"};
  std::string text;
  while (text.size() < length) {
    text += std::to_string(text.size()) + " " + words[random() % 8] + " " + words[random() % 8] + " " +
            std::to_string(random() % 1000) + "\n";
  }
  const auto bytes = std::as_bytes(std::span(text)).first(length);
  return {bytes.begin(), bytes.end()};
}

// A smooth curve with noise in its last digits: hardly smaller without a shuffle.
inline std::vector<double> curve(std::size_t count) {
  std::mt19937_64 random(3);
  std::vector<double> numbers(count);
  for (std::size_t i = 0; i < count; ++i) {
    numbers[i] = 100 + std::sin(static_cast<double>(i) / 1000) + static_cast<double>(random() % 1000) * 1e-9;
  }
  return numbers;
}

}  // namespace larder::test
