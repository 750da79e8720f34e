#include "store/parts.hpp"

#include <algorithm>

namespace larder::store {

Meta meta_of(const RecordView& record) {
  return {std::string(record.type), record.cost_ns,   record.created_ms, record.header.expires_ms,
          stamps_of(record),        record.raw_bytes, record.fresh_ms};
}

RecordParts parts_of(const Digest& fingerprint, Bytes key, const Meta& meta) {
  RecordParts parts;
  parts.fingerprint = fingerprint;
  parts.expires_ms = meta.expires_ms;
  parts.fresh_ms = meta.fresh_ms;
  parts.cost_ns = meta.cost_ns;
  parts.created_ms = meta.created_ms;
  parts.raw_bytes = meta.raw_bytes;
  parts.key = key;
  parts.begun = meta.stamps.begun;
  parts.tags = std::span(meta.stamps.tags).first(std::min(meta.stamps.tags.size(), k_tags_max));
  parts.type = std::string_view(meta.type).substr(0, k_type_bytes_max);
  return parts;
}

}  // namespace larder::store
