// Bytes on the heap that start at a multiple of 64 or more, shared.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>

namespace larder::base {

struct AlignedBytes {
  std::span<std::byte> bytes;
  std::shared_ptr<void> owner;
};

inline AlignedBytes aligned_bytes(std::size_t size, std::size_t alignment = 64) {
  const std::align_val_t aligned{alignment};
  void* memory = ::operator new(size == 0 ? 1 : size, aligned);
  std::shared_ptr<void> owner(memory, [aligned](void* p) { ::operator delete(p, aligned); });
  return {{static_cast<std::byte*>(memory), size}, std::move(owner)};
}

// The pieces, one after the other.
template <class Pieces>
AlignedBytes aligned_copy(const Pieces& pieces) {
  std::size_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  AlignedBytes copy = aligned_bytes(size);
  std::size_t at = 0;
  for (const auto& piece : pieces) {
    if (!piece.empty()) std::memcpy(copy.bytes.data() + at, piece.data(), piece.size());
    at += piece.size();
  }
  return copy;
}

}  // namespace larder::base
