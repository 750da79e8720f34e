#include "arguments.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <larder/entry.hpp>
#include <larder/units.hpp>

#include "output.hpp"

namespace larder::tool {

CLI::Validator whole_number(std::uint64_t min, std::uint64_t max) {
  const auto wrong = [min, max](const std::string& text) -> std::string {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, number);
    if (code == std::errc() && stop == end && number >= min && number <= max) return {};
    const std::string range =
        max == UINT64_MAX ? fmt::format("of {} or more", min) : fmt::format("from {} to {}", min, max);
    return fmt::format("`{}` is not a whole number {}", printable(text), range);
  };
  return {wrong, ""};
}

CLI::Validator not_empty() {
  return {[](const std::string& text) { return std::string(text.empty() ? "the name is empty" : ""); }, ""};
}

std::chrono::nanoseconds parse_ttl(const std::string& text) {
  const std::chrono::nanoseconds ttl = parse_duration(text).value();
  if (ttl > std::chrono::nanoseconds(0)) return ttl;
  throw Failure{Exit::usage, fmt::format("a TTL of {} keeps nothing", printable(text)),
                "give a longer one, or none: it is then kept until room is needed"};
}

void require_tags(const std::vector<std::string>& tags) {
  if (tags.size() > k_tags_max) {
    throw Failure{Exit::usage, fmt::format("{} tags are more than an entry can have", tags.size()),
                  fmt::format("name at most {}", k_tags_max)};
  }
  if (std::ranges::find(tags, "") != tags.end()) throw Failure{Exit::usage, "a tag is empty", "give it a name"};
}

}  // namespace larder::tool
