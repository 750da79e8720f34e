// The ways to compress: lz4 and zstd, which enter larder here and nowhere else. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <larder/codec.hpp>

namespace larder::codec {

// Written to disk: permanent.
enum class Method : std::uint8_t { lz4 = 1, zstd = 2 };

// Compresses up to 1 MiB into `to`: how many bytes that takes, or nothing if there are not as many.
[[nodiscard]] std::optional<std::size_t> compress(Method method, Bytes from, std::span<std::byte> to);

// The inverse. False if that is not `to.size()` bytes, or `from` is not what compress() makes; `to` then holds
// anything.
[[nodiscard]] bool decompress(Method method, Bytes from, std::span<std::byte> to);

}  // namespace larder::codec
