// Any text: an error with a cure, or a value whose text parses back to it.
#include <cstdint>
#include <cstdlib>

#include <larder/units.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t k_whole = std::uint64_t{1} << 40;
  const auto bytes = larder::parse_size(text, k_whole);
  if (bytes) {
    if (larder::parse_size(larder::size_text(*bytes)).value() != *bytes) std::abort();
    if (larder::format_size(*bytes).empty()) std::abort();
  } else if (bytes.error().help().empty()) {
    std::abort();
  }
  const auto duration = larder::parse_duration(text);
  if (duration) {
    if (duration->count() < 0) std::abort();
    if (larder::parse_duration(larder::duration_text(*duration)).value() != *duration) std::abort();
    if (larder::format_duration(*duration).empty()) std::abort();
  } else if (duration.error().help().empty()) {
    std::abort();
  }
  return 0;
}
