// XXH3-128 compiled for AVX2, which is three times as fast on long inputs. Private to hash.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace larder::base {

struct Hash128 {
  std::uint64_t low;
  std::uint64_t high;
};

// REQUIRES: the processor has AVX2.
Hash128 hash128_avx2(const void* bytes, std::size_t size) noexcept;
// `state` is an XXH3_state_t.
void update_avx2(void* state, const void* bytes, std::size_t size) noexcept;

}  // namespace larder::base
