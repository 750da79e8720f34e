#include "recording.hpp"

#include <larder/cache.hpp>

namespace larder::tool {
namespace {

// A file takes at least its path's length, its mode and its own length.
constexpr std::uint64_t k_file_bytes_min = 8 + 4 + 8;

void encode_text(std::string_view text, Encoder& out) {
  out.number<std::uint64_t>(text.size());
  out.refer(std::as_bytes(std::span(text)));
}

std::string_view decode_text(Decoder& in) {
  const Bytes bytes = in.take(in.number<std::uint64_t>());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

void Recording::add_error(std::string_view bytes, std::uint64_t files) {
  write_text(bytes);
  write_number(files);
}

void Recording::begin_file(std::string_view path, std::uint32_t mode, std::uint64_t bytes) {
  write_text(path);
  write_number(mode);
  write_number(bytes);
}

void Recording::publish(std::int32_t status, std::int64_t finished_ms) {
  Encoder front;
  front.number(status);
  front.number(finished_ms);
  front.number(output_bytes_);
  writer_.publish(front.joined());
}

}  // namespace larder::tool

void larder::Codec<larder::tool::ExecResult>::encode(const tool::ExecResult& result, Encoder& out) {
  out.number(result.status);
  out.number(result.finished_ms);
  tool::encode_text(result.standard_output, out);
  tool::encode_text(result.standard_error, out);
  out.number<std::uint64_t>(result.files.size());
  for (const auto& file : result.files) {
    tool::encode_text(file.path, out);
    out.number(file.mode);
    tool::encode_text(file.bytes, out);
  }
}

larder::tool::ExecResult larder::Codec<larder::tool::ExecResult>::decode(Decoder& in) {
  tool::ExecResult result;
  result.status = in.number<std::int32_t>();
  result.finished_ms = in.number<std::int64_t>();
  result.standard_output = tool::decode_text(in);
  result.standard_error = tool::decode_text(in);
  const std::uint64_t count = in.count(tool::k_file_bytes_min);
  for (std::uint64_t i = 0; i < count; ++i) {
    tool::ExecResult::File file;
    file.path = tool::decode_text(in);
    file.mode = in.number<std::uint32_t>();
    file.bytes = tool::decode_text(in);
    result.files.push_back(file);
  }
  return result;
}
