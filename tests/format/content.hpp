// What the kept stores hold: put by make_kept_store, looked for by kept_test. A store that is kept stays as it is, so
// what is put here stays, too: a release that has more to keep puts it beside this.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <larder/larder.hpp>

namespace larder::test {

inline Array kept_array() {
  const std::vector<double> elements = {1, 2, 3, 4, 5, 6};
  return Array::copy_of(std::span<const double>(elements), {2, 3});
}

// A value that gets a file of its own and has several chunks, and yet packs well.
inline std::vector<std::uint32_t> kept_numbers() {
  std::vector<std::uint32_t> numbers(std::size_t{5} << 18);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::uint32_t>(i / 1024);
  return numbers;
}

// Several of them fill a segment, so that it is sealed.
inline std::string kept_page(std::int64_t number) {
  return std::string(60'000, static_cast<char>('a' + number % 26)) + std::to_string(number);
}
inline constexpr std::int64_t k_kept_pages = 40;

// A cache without memory: what it finds, it finds in the store.
inline Options kept_options(const std::filesystem::path& directory) {
  Options options;
  options.directory = directory;
  options.memory = 0;
  options.write = WriteMode::through;
  return options;
}

}  // namespace larder::test
