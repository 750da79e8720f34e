// This file alone is compiled with -mavx2. It must not instantiate a template or an inline function that
// another file instantiates too: the linker might keep the copy with AVX2 in it for everybody.
#include "base/hash_avx2.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace larder::base {

Hash128 hash128_avx2(const void* bytes, std::size_t size) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(bytes, size);
  return {hash.low64, hash.high64};
}

void update_avx2(void* state, const void* bytes, std::size_t size) noexcept {
  XXH3_128bits_update(static_cast<XXH3_state_t*>(state), bytes, size);
}

}  // namespace larder::base
