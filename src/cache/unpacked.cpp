#include "cache/unpacked.hpp"

#include <algorithm>
#include <string>

namespace larder::detail {

namespace {

constexpr std::size_t k_alignment = 4096;  // that of large values

}  // namespace

std::unique_ptr<Unpacked> Unpacked::open(const store::StoredValue& stored) {
  const std::uint64_t raw_bytes = stored.meta().raw_bytes;
  const Result<Bytes> head = stored.range(0, codec::FrameView::head_bytes(raw_bytes));
  if (!head) return nullptr;
  const Bytes whole(head->data(), stored.size());
  const std::optional<codec::FrameView> frame = codec::FrameView::open(whole);
  if (!frame || frame->raw_bytes() != raw_bytes) return nullptr;
  return std::unique_ptr<Unpacked>(new Unpacked(stored, whole, *frame));
}

Unpacked::Unpacked(const store::StoredValue& stored, Bytes whole, codec::FrameView frame)
    : stored_(stored),
      whole_(whole),
      frame_(frame),
      value_(base::aligned_bytes(frame.raw_bytes(), k_alignment)),
      decoded_(frame.raw_bytes() / codec::k_frame_chunk_bytes + 1) {}

Result<Bytes> Unpacked::range(std::uint64_t offset, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  for (std::uint64_t chunk = offset / codec::k_frame_chunk_bytes; chunk * codec::k_frame_chunk_bytes < offset + bytes;
       ++chunk) {
    if (decoded_[chunk]) continue;
    if (Result<void> decoded = decode(chunk); !decoded) return decoded.error();
    decoded_[chunk] = true;
  }
  return Bytes(value_.bytes).subspan(offset, bytes);
}

Result<void> Unpacked::decode(std::uint64_t chunk) {
  const std::uint64_t offset = chunk * codec::k_frame_chunk_bytes;
  const std::uint64_t length = std::min(codec::k_frame_chunk_bytes, size() - offset);
  const Bytes kept = frame_.kept_for(offset, length);
  if (kept.empty()) return Error(Errc::damaged, "the frame of the value is damaged");
  const Result<Bytes> there = stored_.range(static_cast<std::uint64_t>(kept.data() - whole_.data()), kept.size());
  if (!there) return there.error();
  if (!frame_.decode(offset, value_.bytes.subspan(offset, length))) {
    return Error(Errc::damaged, "the frame of the value is damaged at " + std::to_string(offset));
  }
  return {};
}

}  // namespace larder::detail
