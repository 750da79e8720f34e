// Frames: compressed values, as the store keeps them. docs/internals/frame-format.md has every byte.
//
// A frame says itself how to decode it, and proves itself: damage is found before anything is made of the bytes. The
// value is cut into chunks that are compressed alone, so that a range of it is read without the rest.
//
// Pure functions of bytes; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <larder/codec.hpp>

#include "codec/method.hpp"

namespace larder::codec {

// Bytes of the value in a chunk; in the last one there may be fewer.
inline constexpr std::uint64_t k_frame_chunk_bytes = std::uint64_t{1} << 20;
inline constexpr std::uint32_t k_frame_magic = 0x5a52444c;  // "LDRZ"
inline constexpr std::uint8_t k_frame_version = 1;

struct FrameHeader {
  std::uint32_t magic;
  std::uint8_t version;
  Method method;
  std::uint8_t width;
  std::uint8_t zero;
  std::uint64_t raw_bytes;
  std::uint64_t checksum;
};
static_assert(sizeof(FrameHeader) == 24 && offsetof(FrameHeader, raw_bytes) == 8 &&
              offsetof(FrameHeader, checksum) == 16);

struct FrameChunk {
  std::uint64_t end;  // of the chunk's bytes, counted from the end of the table
  std::uint64_t checksum;
};
static_assert(sizeof(FrameChunk) == 16);

// How a value is compressed: by which method, after which shuffle (1: none).
struct Recipe {
  Method method = Method::zstd;
  std::size_t width = 1;  // is_width()
};

// A frame that is made. It may refer to the value that it was made of, which has to outlive it.
struct Frame {
  std::vector<std::byte> head;  // header and table
  Encoder chunks;

  [[nodiscard]] std::uint64_t size() const noexcept { return head.size() + chunks.size(); }
  [[nodiscard]] std::vector<Bytes> pieces() const;
};
// The value is the pieces one after the other.
[[nodiscard]] Frame make_frame(std::span<const Bytes> value, Recipe recipe);

// The checksum of a chunk's bytes, and what stands in front of all chunks. For make_frame, and for tests that make
// other frames than it does.
[[nodiscard]] std::uint64_t frame_chunk_checksum(Bytes chunk) noexcept;
[[nodiscard]] std::vector<std::byte> frame_head(Recipe recipe, std::uint64_t raw_bytes,
                                                std::span<const FrameChunk> table);

// A frame that is read.
class FrameView {
 public:
  // Nothing if the bytes are no frame, or its header or table is damaged. The chunks are not touched.
  [[nodiscard]] static std::optional<FrameView> open(Bytes frame) noexcept;

  // How many bytes open() reads of the frame of such a value.
  [[nodiscard]] static std::uint64_t head_bytes(std::uint64_t raw_bytes) noexcept;

  // Of the value. At most 1 MiB for every 16 bytes of the frame; only decoding shows whether they are there.
  [[nodiscard]] std::uint64_t raw_bytes() const noexcept { return header_.raw_bytes; }

  // Puts the value's bytes from `offset` on, as many as `to` takes, into `to`. Reads the chunks that hold them, and no
  // others. False if one of these is damaged: `to` then holds anything. REQUIRES: offset + to.size() <= raw_bytes().
  [[nodiscard]] bool decode(std::uint64_t offset, std::span<std::byte> to) const;
  // What decode() of so many bytes from `offset` on reads. Empty if that is damaged. REQUIRES: as decode(), bytes > 0.
  [[nodiscard]] Bytes kept_for(std::uint64_t offset, std::uint64_t bytes) const noexcept;

 private:
  FrameView(const FrameHeader& header, Bytes table, Bytes chunks) : header_(header), table_(table), chunks_(chunks) {}
  // Where the chunk's bytes end, counted as in FrameChunk.
  [[nodiscard]] std::uint64_t end_of(std::uint64_t number) const noexcept;
  // The chunk's bytes as they are kept; nothing if they are damaged.
  [[nodiscard]] std::optional<Bytes> kept(std::uint64_t number) const noexcept;

  FrameHeader header_;
  Bytes table_;
  Bytes chunks_;
};

}  // namespace larder::codec
