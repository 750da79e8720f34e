#include "base/hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdio>

#ifdef LARDER_HASH_AVX2
#include "base/hash_avx2.hpp"
#endif

namespace larder {
namespace base {

namespace {
// Whether an input is worth the detour to the wider registers.
bool wants_avx2([[maybe_unused]] std::size_t bytes) noexcept {
#ifdef LARDER_HASH_AVX2
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  return bytes >= 512 && has_avx2;
#else
  return false;
#endif
}
}  // namespace

std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Digest hash128(std::span<const std::byte> bytes) noexcept {
#ifdef LARDER_HASH_AVX2
  if (wants_avx2(bytes.size())) {
    const Hash128 wide = hash128_avx2(bytes.data(), bytes.size());
    return {wide.low, wide.high};
  }
#endif
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

}  // namespace base

Digest digest(std::span<const std::byte> bytes) {
  return base::hash128(bytes);
}

std::string Digest::hex() const {
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return {text.data(), 32};
}

// XXH3_state_t is 576 bytes and 64-byte aligned; `new` honors the alignment in C++17 and later.
struct DigestStream::State {
  XXH3_state_t xxh;
};

DigestStream::DigestStream() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->xxh);
}
DigestStream::~DigestStream() = default;
DigestStream::DigestStream(DigestStream&&) noexcept = default;
DigestStream& DigestStream::operator=(DigestStream&&) noexcept = default;

void DigestStream::update(std::span<const std::byte> bytes) {
#ifdef LARDER_HASH_AVX2
  if (base::wants_avx2(bytes.size())) return base::update_avx2(&state_->xxh, bytes.data(), bytes.size());
#endif
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}

Digest DigestStream::value() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  return {hash.low64, hash.high64};
}

}  // namespace larder
