#include "raw.hpp"

#include <larder/codecs.hpp>

namespace larder::tool {

std::uint64_t value_bytes(const EntryInfo& entry) {
  // Bytes and texts are encoded behind their count, and bytes begin where their number wants them aligned: so what
  // stands in front of them follows from the sum of both.
  constexpr std::uint64_t k_count_bytes = sizeof(std::uint64_t);
  const auto behind = [&](std::uint64_t front) { return entry.bytes < front ? 0 : entry.bytes - front; };
  if (entry.type == Codec<std::string_view>::type_name()) return behind(k_count_bytes);
  if (entry.type != Codec<std::span<const std::byte>>::type_name()) return entry.bytes;
  std::uint64_t front = k_count_bytes;
  for (const std::uint64_t least : {detail::k_refer_bytes_min, detail::k_page_align_bytes_min}) {
    const std::uint64_t aligned = detail::payload_alignment(least, 1);
    if (behind(aligned) >= least) front = aligned;
  }
  return behind(front);
}

std::string base64(Bytes bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t here = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < here ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j) text += j <= here ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

}  // namespace larder::tool
