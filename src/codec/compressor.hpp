// Whether a value is compressed, and how: decided by compressing samples of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <larder/codec.hpp>
#include <larder/compression.hpp>

#include "codec/frame.hpp"

namespace larder::codec {

// What there is to know of an encoded value.
struct Content {
  std::span<const Bytes> pieces;  // one after the other
  std::uint64_t bytes = 0;        // of all of them
  std::size_t number_bytes = 1;   // Encoder::number_bytes()
  bool is_view = false;           // as long as it is not compressed, it is handed out as a view
};

// How to compress the value; nothing if it is better kept as it is. A shuffle is part of it if samples become smaller
// with it.
//
// A method that is named is taken where it saves an eighth at least: less is not worth the time to decode it, and the
// padding that aligns bytes may be a twentieth of a value. `automatic` keeps a value as it is
//   - below 1 KiB, where a record's header, key and padding weigh as much as what could be saved,
//   - if samples do not become smaller by a quarter; if it is handed out as a view and has more than 16 KiB, by a half,
//     because every process then needs memory for it, and the time to decode it,
//   - if it is handed out as a view and has 64 MiB or more, whose decoding takes as long as many a computation.
// It takes lz4, which decodes two or three times as fast as zstd, unless zstd saves a tenth of the value more.
[[nodiscard]] std::optional<Recipe> choose_recipe(const Content& content, Compression compression);

// The frame to keep instead of the value; nothing if the value is better kept as it is.
[[nodiscard]] std::optional<Frame> compress(const Content& content, Compression compression);

}  // namespace larder::codec
