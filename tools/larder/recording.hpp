// What a finished command left behind, and the form in which the cache keeps it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <larder/codec.hpp>

namespace larder::tool {

struct OutputFile {
  std::string path;
  std::uint32_t mode = 0;  // permission bits
  std::string bytes;
};

// The result of a run, owned.
struct Recording {
  std::string standard_output;
  std::string standard_error;
  std::int32_t status = 0;
  std::int64_t finished_ms = 0;  // Unix time
  std::vector<OutputFile> files;
};

// The same as it is cached: a view, so that a hit on a large result copies nothing out of the store.
struct ExecResult {
  struct File {
    std::string_view path;
    std::uint32_t mode = 0;
    std::string_view bytes;
  };

  ExecResult() = default;
  explicit ExecResult(const Recording& recording);

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
