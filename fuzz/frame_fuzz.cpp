// Frames come from disks and, later, from other machines. Arbitrary bytes are read as a frame, and as the chunks of a
// frame whose checksums somebody made right, which is what reaches the decompressors; and what is framed comes back.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "codec/frame.hpp"

using namespace larder;
using namespace larder::codec;

namespace {

// More would only be slower.
constexpr std::uint64_t k_raw_bytes_max = std::uint64_t{3} << 20;

// All of the frame, and parts of it, which have to be the same.
std::vector<std::byte> decode(Bytes frame) {
  const std::optional<FrameView> view = FrameView::open(frame);
  if (!view || view->raw_bytes() > k_raw_bytes_max) return {};
  std::vector<std::byte> whole(view->raw_bytes());
  if (!view->decode(0, whole)) return {};
  for (const std::uint64_t from : {whole.size() / 3, whole.size() - whole.size() / 5}) {
    std::vector<std::byte> part(std::min<std::uint64_t>(whole.size() - from, 1000));
    if (!view->decode(from, part)) std::abort();
    if (!std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(from))) std::abort();
  }
  return whole;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  decode(bytes);
  if (size < 5 || size > k_raw_bytes_max) return 0;

  const Recipe recipe{(data[0] & 1) != 0 ? Method::lz4 : Method::zstd, std::size_t{1} << data[0] / 2 % 5};
  const Bytes rest = bytes.subspan(5);
  const std::vector<std::byte> value(rest.begin(), rest.end());
  const Frame frame = make_frame(std::span(&rest, 1), recipe);
  std::vector<std::byte> joined;
  for (const Bytes piece : frame.pieces()) joined.insert(joined.end(), piece.begin(), piece.end());
  if (decode(joined) != value) std::abort();

  const std::uint64_t last_bytes = 1U + (data[2] | unsigned{data[3]} << 8 | (data[4] & 3U) << 16);
  const auto crafted = [&](std::uint64_t raw_bytes, std::span<const FrameChunk> table) {
    std::vector<std::byte> made = frame_head(recipe, raw_bytes, table);
    made.insert(made.end(), rest.begin(), rest.end());
    decode(made);
  };
  const FrameChunk whole{rest.size(), frame_chunk_checksum(rest)};
  crafted(last_bytes, std::span(&whole, 1));
  if (data[0] < 0xe0) return 0;  // the first of two chunks stands for a whole MiB, and that takes long

  const std::uint64_t cut = data[1] * rest.size() / 255;
  const FrameChunk table[] = {{cut, frame_chunk_checksum(rest.first(cut))},
                              {rest.size(), frame_chunk_checksum(rest.subspan(cut))}};
  crafted(k_frame_chunk_bytes + last_bytes, table);
  return 0;
}
