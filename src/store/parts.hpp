// What is kept of an entry, as the store hands it in and out and as a record says it. Private to the room.
#pragma once

#include "store/format.hpp"
#include "store/store.hpp"

namespace larder::store {

[[nodiscard]] Meta meta_of(const RecordView& record);
// What a record says of the entry with that key, but for its sequence number and its value. Refers to `key` and `meta`.
[[nodiscard]] RecordParts parts_of(const Digest& fingerprint, Bytes key, const Meta& meta);
[[nodiscard]] inline RecordParts parts_of(const Key& key, const Meta& meta) {
  return parts_of(key.fingerprint(), key.canonical(), meta);
}

}  // namespace larder::store
