// What `larder exec` was asked for, and the key that says so.
//
// The key holds everything that the command was said to depend on: its words, the working directory, the values of
// the named environment variables, the contents of the named files, the names of its output files, the content of
// standard input where --stdin says that it matters, and --key. The order of the options does not matter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <larder/compression.hpp>
#include <larder/key.hpp>
#include <larder/units.hpp>

namespace larder::tool {

struct Request {
  std::vector<std::string> command;
  std::vector<std::string> files;
  std::vector<std::string> variables;
  std::vector<std::string> outputs;
  std::string extra;
  Duration ttl = k_never;
  std::vector<std::string> tags;
  Compression compression = Compression::none;
  bool standard_input = false;
  bool store_failures = false;
  bool require_cache = false;
};

// Throws Error if a named file cannot be read or if the words are too long for a key.
[[nodiscard]] Key key_of(const Request& request, const std::optional<Digest>& standard_input);

// What the command reads: nothing, or with --stdin all of ours.
class Input {
 public:
  explicit Input(bool standard_input);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // Reads what the command will read before it starts, so that it can be part of the key and can be handed on whether
  // or not the result is stored. Throws Failure if that is not possible, or is more than `bytes_max`.
  void read(std::uint64_t bytes_max);

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] const std::optional<Digest>& digest() const noexcept { return digest_; }

 private:
  int descriptor_;
  std::optional<Digest> digest_;
};

}  // namespace larder::tool
