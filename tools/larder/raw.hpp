// The bytes of an entry, whatever its type.
#pragma once

#include <cstdint>
#include <string>

#include <larder/cache.hpp>

namespace larder::tool {

// How many bytes a reader gives of the entry's value, without reading them: what the user calls its size.
[[nodiscard]] std::uint64_t value_bytes(const EntryInfo& entry);

// The bytes as JSON can carry them.
[[nodiscard]] std::string base64(Bytes bytes);

}  // namespace larder::tool
