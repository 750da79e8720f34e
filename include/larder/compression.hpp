// How a value is kept in the store: as it is, or compressed.
#pragma once

#include <cstdint>

namespace larder {

// What does not become smaller by an eighth is kept as it is. A compressed value is decoded when the store answers with
// it, into memory of the process, and goes on as any value in memory: it is decoded once, not on every hit.
enum class Compression : std::uint8_t {
  none,       // as it is: a large value is a view of the store's file, without a copy
  lz4,        // fast to decode
  zstd,       // smaller
  automatic,  // one of these, where samples of the value say that it pays: see docs/guide/options.md
};

}  // namespace larder
