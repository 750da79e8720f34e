// The encoded bytes of any entry, whatever its type.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <larder/cache.hpp>

namespace larder::tool {

struct RawValue {
  std::string type;
  Bytes bytes;
  std::shared_ptr<const void> owner;  // keeps `bytes` alive
};

// The value of the entry: bytes and texts as they are, other types as they are encoded. Nothing if it has expired or
// does not verify.
[[nodiscard]] std::optional<RawValue> read_raw(Cache& cache, const EntryInfo& entry);

// How many bytes read_raw() gives, without reading them: what the user calls the size of the value.
[[nodiscard]] std::uint64_t value_bytes(const EntryInfo& entry);

// The bytes as JSON can carry them.
[[nodiscard]] std::string base64(Bytes bytes);

}  // namespace larder::tool
