// Hashes: XXH3 from libxxhash, which enters larder here and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <larder/digest.hpp>

namespace larder::base {

// 64 bits of XXH3 over `bytes`. Distinct seeds give unrelated hashes.
[[nodiscard]] std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept;

// 128 bits of XXH3 over `bytes`.
[[nodiscard]] Digest hash128(std::span<const std::byte> bytes) noexcept;

}  // namespace larder::base
