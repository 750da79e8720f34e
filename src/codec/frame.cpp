#include "codec/frame.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/hash.hpp"
#include "codec/shuffle.hpp"

namespace larder::codec {

namespace {

// Seeds that keep one kind of checksum from passing as another.
constexpr std::uint64_t k_seed_header = 1;
constexpr std::uint64_t k_seed_table = 2;
constexpr std::uint64_t k_seed_chunk = 3;

constexpr std::size_t k_checked_header_bytes = offsetof(FrameHeader, checksum);

std::uint64_t head_checksum(const FrameHeader& header, Bytes table) noexcept {
  const Bytes checked = std::as_bytes(std::span(&header, 1)).first(k_checked_header_bytes);
  return base::hash64(table, base::hash64(checked, k_seed_header) ^ k_seed_table);
}

constexpr std::uint64_t chunk_count(std::uint64_t raw_bytes) noexcept {
  return raw_bytes / k_frame_chunk_bytes + (raw_bytes % k_frame_chunk_bytes != 0 ? 1 : 0);
}

// Memory for a part of a chunk, as long as this is used; what is in it is undefined.
class Scratch {
 public:
  std::span<std::byte> bytes(std::size_t length) {
    if (length > length_) {
      memory_ = std::make_unique_for_overwrite<std::byte[]>(length);
      length_ = length;
    }
    return {memory_.get(), length};
  }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t length_ = 0;
};

// Hands out the bytes of pieces in order: in place where they lie in one piece.
class PieceReader {
 public:
  explicit PieceReader(std::span<const Bytes> pieces) : pieces_(pieces) {}

  struct Part {
    Bytes bytes;
    bool in_place;
  };
  // REQUIRES: there are as many.
  Part take(std::size_t length, Scratch& scratch) {
    skip_used();
    if (pieces_.front().size() - used_ >= length) {
      const Bytes part = pieces_.front().subspan(used_, length);
      used_ += length;
      return {part, true};
    }
    const std::span<std::byte> joined = scratch.bytes(length);
    for (std::size_t at = 0; at < length;) {
      skip_used();
      const std::size_t here = std::min(length - at, pieces_.front().size() - used_);
      std::memcpy(joined.data() + at, pieces_.front().data() + used_, here);
      used_ += here;
      at += here;
    }
    return {joined, false};
  }

 private:
  void skip_used() {
    while (used_ == pieces_.front().size()) pieces_ = pieces_.subspan(1), used_ = 0;
  }
  std::span<const Bytes> pieces_;
  std::size_t used_ = 0;  // of the first one
};

}  // namespace

std::vector<Bytes> Frame::pieces() const {
  std::vector<Bytes> result = chunks.pieces();
  result.insert(result.begin(), Bytes(head));
  return result;
}

std::uint64_t frame_chunk_checksum(Bytes chunk) noexcept {
  return base::hash64(chunk, k_seed_chunk);
}

std::vector<std::byte> frame_head(Recipe recipe, std::uint64_t raw_bytes, std::span<const FrameChunk> table) {
  FrameHeader header{
      k_frame_magic, k_frame_version, recipe.method, static_cast<std::uint8_t>(recipe.width), 0, raw_bytes, 0};
  header.checksum = head_checksum(header, std::as_bytes(table));
  std::vector<std::byte> head(sizeof header + table.size_bytes());
  std::memcpy(head.data(), &header, sizeof header);
  if (!table.empty()) std::memcpy(head.data() + sizeof header, table.data(), table.size_bytes());
  return head;
}

Frame make_frame(std::span<const Bytes> value, Recipe recipe) {
  std::uint64_t raw_bytes = 0;
  for (const Bytes piece : value) raw_bytes += piece.size();
  Frame frame;
  std::vector<FrameChunk> table;
  table.reserve(chunk_count(raw_bytes));
  PieceReader reader(value);
  Scratch joined;
  Scratch shuffled;
  Scratch compressed;
  for (std::uint64_t left = raw_bytes; left > 0;) {
    const auto length = static_cast<std::size_t>(std::min(left, k_frame_chunk_bytes));
    const PieceReader::Part raw = reader.take(length, joined);
    Bytes input = raw.bytes;
    if (recipe.width > 1) {
      shuffle(raw.bytes, recipe.width, shuffled.bytes(length));
      input = shuffled.bytes(length);
    }
    const std::span<std::byte> output = compressed.bytes(length);
    const std::optional<std::size_t> fits = compress(recipe.method, input, output.first(length - 1));
    const Bytes kept = fits ? Bytes(output.first(*fits)) : raw.bytes;
    if (!fits && raw.in_place) {
      frame.chunks.refer(kept);
    } else {
      frame.chunks.copy(kept);
    }
    table.push_back({frame.chunks.size(), frame_chunk_checksum(kept)});
    left -= length;
  }
  frame.head = frame_head(recipe, raw_bytes, table);
  return frame;
}

std::optional<FrameView> FrameView::open(Bytes frame) noexcept {
  FrameHeader header;
  if (frame.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, frame.data(), sizeof header);
  const bool known = header.magic == k_frame_magic && header.version == k_frame_version &&
                     (header.method == Method::lz4 || header.method == Method::zstd) && is_width(header.width) &&
                     header.zero == 0;
  if (!known) return std::nullopt;
  const Bytes rest = frame.subspan(sizeof header);
  const std::uint64_t count = chunk_count(header.raw_bytes);
  if (count > rest.size() / sizeof(FrameChunk)) return std::nullopt;
  const Bytes table = rest.first(count * sizeof(FrameChunk));
  if (head_checksum(header, table) != header.checksum) return std::nullopt;
  return FrameView(header, table, rest.subspan(table.size()));
}

std::uint64_t FrameView::head_bytes(std::uint64_t raw_bytes) noexcept {
  return sizeof(FrameHeader) + chunk_count(raw_bytes) * sizeof(FrameChunk);
}

std::uint64_t FrameView::end_of(std::uint64_t number) const noexcept {
  std::uint64_t end = 0;
  std::memcpy(&end, table_.data() + number * sizeof(FrameChunk) + offsetof(FrameChunk, end), sizeof end);
  return end;
}

Bytes FrameView::kept_for(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  const std::uint64_t first = offset / k_frame_chunk_bytes;
  const std::uint64_t start = first == 0 ? 0 : end_of(first - 1);
  const std::uint64_t end = end_of((offset + bytes - 1) / k_frame_chunk_bytes);
  return start <= end && end <= chunks_.size() ? chunks_.subspan(start, end - start) : Bytes();
}

std::optional<Bytes> FrameView::kept(std::uint64_t number) const noexcept {
  FrameChunk chunk;
  std::memcpy(&chunk, table_.data() + number * sizeof chunk, sizeof chunk);
  const std::uint64_t start = number == 0 ? 0 : end_of(number - 1);
  if (start > chunk.end || chunk.end > chunks_.size()) return std::nullopt;
  const Bytes kept = chunks_.subspan(start, chunk.end - start);
  if (frame_chunk_checksum(kept) != chunk.checksum) return std::nullopt;
  return kept;
}

bool FrameView::decode(std::uint64_t offset, std::span<std::byte> to) const {
  Scratch whole;
  Scratch shuffled;
  while (!to.empty()) {
    const std::uint64_t number = offset / k_frame_chunk_bytes;
    const std::uint64_t start = number * k_frame_chunk_bytes;
    const auto length = static_cast<std::size_t>(std::min(k_frame_chunk_bytes, header_.raw_bytes - start));
    const auto skipped = static_cast<std::size_t>(offset - start);
    const std::span<std::byte> wanted = to.first(std::min(to.size(), length - skipped));
    const std::optional<Bytes> bytes = kept(number);
    // No chunk is longer than what is in it: so nothing that is handed on from here is longer than 1 MiB.
    if (!bytes || bytes->size() > length) return false;
    if (bytes->size() == length) {
      std::memcpy(wanted.data(), bytes->data() + skipped, wanted.size());
    } else {
      const std::span<std::byte> decoded = wanted.size() == length ? wanted : whole.bytes(length);
      const std::span<std::byte> output = header_.width > 1 ? shuffled.bytes(length) : decoded;
      if (!decompress(header_.method, *bytes, output)) return false;
      if (header_.width > 1) unshuffle(output, header_.width, decoded);
      if (decoded.data() != wanted.data()) std::memcpy(wanted.data(), decoded.data() + skipped, wanted.size());
    }
    offset += wanted.size();
    to = to.subspan(wanted.size());
  }
  return true;
}

}  // namespace larder::codec
