// What a finished command left behind, and the form in which the cache keeps it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <larder/codec.hpp>
#include <larder/stream.hpp>

namespace larder::tool {

// Writes the result of a run as it comes: standard output, then standard error, then files. The encoded form of an
// ExecResult.
class Recording {
 public:
  explicit Recording(EncodedWriter writer) : writer_(std::move(writer)) {}
  // What stands before all that: what is only known at the end.
  static constexpr std::uint64_t k_front_bytes = 4 + 8 + 8;

  void add_output(std::string_view bytes) {
    write(bytes);
    output_bytes_ += bytes.size();
  }
  // Ends standard output. Once.
  void add_error(std::string_view bytes, std::uint64_t files);
  // A file begins, of which `bytes` bytes follow.
  void begin_file(std::string_view path, std::uint32_t mode, std::uint64_t bytes);
  void write(std::string_view bytes) { writer_.write(std::as_bytes(std::span(bytes))); }
  void publish(std::int32_t status, std::int64_t finished_ms);
  void abandon() noexcept { writer_.abandon(); }

 private:
  void write_number(auto number) { write({reinterpret_cast<const char*>(&number), sizeof number}); }
  void write_text(std::string_view text) {
    write_number(std::uint64_t{text.size()});
    write(text);
  }

  EncodedWriter writer_;
  std::uint64_t output_bytes_ = 0;
};

// The result of a run as it is cached: a view, so that a hit on a large one copies nothing out of the store.
struct ExecResult {
  struct File {
    std::string_view path;
    std::uint32_t mode = 0;
    std::string_view bytes;
  };

  std::string_view standard_output;
  std::string_view standard_error;
  std::int32_t status = 0;
  std::int64_t finished_ms = 0;
  std::vector<File> files;
};

}  // namespace larder::tool

template <>
struct larder::Codec<larder::tool::ExecResult> {
  static constexpr bool borrows = true;
  static std::string type_name() { return "larder.exec/1"; }
  static void encode(const tool::ExecResult& result, Encoder& out);
  static tool::ExecResult decode(Decoder& in);
};
