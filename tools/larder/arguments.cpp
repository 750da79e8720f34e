#include "arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

#include <larder/entry.hpp>
#include <larder/units.hpp>

#include "output.hpp"

namespace larder::tool {

namespace {

const std::map<std::string, Compression>& compressions() {
  static const std::map<std::string, Compression> names = {{"none", Compression::none},
                                                           {"lz4", Compression::lz4},
                                                           {"zstd", Compression::zstd},
                                                           {"auto", Compression::automatic}};
  return names;
}

}  // namespace

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

void add_compress(CLI::App& verb, std::string& text) {
  verb.add_option("--compress", text,
                  "how the store keeps it: none, lz4, zstd, or auto where that pays [LARDER_COMPRESS, else none]")
      ->check(CLI::IsMember(&compressions()));
}

Compression parse_compression(const std::string& text) {
  const char* const variable = std::getenv("LARDER_COMPRESS");
  const std::string name = !text.empty() ? text : variable != nullptr ? variable : "";
  if (name.empty()) return Compression::none;
  const auto found = compressions().find(name);
  if (found != compressions().end()) return found->second;
  throw Error(Errc::invalid_option, "LARDER_COMPRESS: `" + printable(name) + "` is no way to compress",
              "set it to none, lz4, zstd or auto, or not at all");
}

void require_tags(const std::vector<std::string>& tags) {
  if (tags.size() > k_tags_max) {
    throw Failure{Exit::usage, fmt::format("{} tags are more than an entry can have", tags.size()),
                  fmt::format("name at most {}", k_tags_max)};
  }
  if (std::ranges::find(tags, "") != tags.end()) throw Failure{Exit::usage, "a tag is empty", "give it a name"};
}

}  // namespace larder::tool
