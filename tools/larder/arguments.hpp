// Arguments of options, refused in words where they are of no use.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <larder/compression.hpp>

namespace larder::tool {

// Lets only the digits of a number from `min` to `max` pass.
[[nodiscard]] CLI::Validator whole_number(std::uint64_t min, std::uint64_t max = UINT64_MAX);

// Lets everything pass but nothing: what a shell makes of a variable that is not set.
[[nodiscard]] CLI::Validator not_empty();

// How long a value is good. Throws Error or Failure(usage) for what is no duration, and for 0, which keeps nothing.
[[nodiscard]] std::chrono::nanoseconds parse_ttl(const std::string& text);

// Adds --compress, into `text`.
void add_compress(CLI::App& verb, std::string& text);
// What `text`, or where it is empty LARDER_COMPRESS, says. Throws Error(invalid_option) for what the variable cannot
// be.
[[nodiscard]] Compression parse_compression(const std::string& text);

// Throws Failure(usage) for tags that an entry cannot have.
void require_tags(const std::vector<std::string>& tags);

}  // namespace larder::tool
