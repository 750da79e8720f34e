#include "cache/packing.hpp"

#include <larder/codecs.hpp>

#include "base/aligned.hpp"
#include "base/mutex.hpp"
#include "codec/compressor.hpp"

namespace larder::detail {

Packed::Packed(const Value& value, const Type& type, Compression compression) {
  base::expect_no_lock("a codec");
  type.encode(value.get(), encoder_);
  if (compression == Compression::none) return;
  const std::vector<Bytes> pieces = encoder_.pieces();
  frame_ = codec::compress({pieces, encoder_.size(), encoder_.number_bytes(), type.is_view}, compression);
}

bool unpack(store::Found& found) {
  const std::optional<codec::FrameView> frame = codec::FrameView::open(found.value);
  if (!frame || frame->raw_bytes() != found.meta.raw_bytes) return false;
  // As the store aligns what it maps.
  const std::size_t alignment = frame->raw_bytes() >= k_page_align_bytes_min ? 4096 : 64;
  base::AlignedBytes value = base::aligned_bytes(frame->raw_bytes(), alignment);
  if (!frame->decode(0, value.bytes)) return false;
  found.value = value.bytes;
  found.owner = std::move(value.owner);
  return true;
}

}  // namespace larder::detail
