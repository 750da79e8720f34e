// Room for records of one type, numbered densely. Records never move: blocks double in size, so that
// growing copies nothing and takes one allocation.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "policy/policy.hpp"

namespace larder::memory {

using policy::EntryId;

// Not thread-safe. Does not know which records are alive: its owner takes out all it put in.
template <class T>
class Slab {
 public:
  EntryId put(T&& record) {
    EntryId id = end_;
    if (free_.empty()) {
      Block& block = blocks_[block_of(id)];
      if (!block) {
        const std::size_t records = std::size_t{k_first} << block_of(id);
        free_.reserve(id + records);  // so that take() needs no memory
        block = std::make_unique_for_overwrite<Room[]>(records);
      }
      ++end_;
    } else {
      id = free_.back();
      free_.pop_back();
    }
    std::construct_at(&(*this)[id], std::move(record));
    return id;
  }

  // REQUIRES: `id` was put and not yet taken. The number will be used again.
  T take(EntryId id) noexcept {
    T& place = (*this)[id];
    T record = std::move(place);
    std::destroy_at(&place);
    free_.push_back(id);
    return record;
  }

  T& operator[](EntryId id) { return *reinterpret_cast<T*>(&room(id)); }
  const T& operator[](EntryId id) const { return *reinterpret_cast<const T*>(&room(id)); }

  // Records that are in.
  [[nodiscard]] std::size_t size() const { return end_ - free_.size(); }

 private:
  struct alignas(T) Room {
    std::array<std::byte, sizeof(T)> bytes;
  };
  using Block = std::unique_ptr<Room[]>;

  // Block b holds the k_first << b numbers from (k_first << b) - k_first on.
  static constexpr std::uint32_t k_first = 16;
  static std::size_t block_of(EntryId id) { return static_cast<std::size_t>(std::bit_width((id / k_first + 1) / 2)); }
  [[nodiscard]] Room& room(EntryId id) const {
    const std::size_t block = block_of(id);
    return blocks_[block][std::size_t{id} + k_first - (std::size_t{k_first} << block)];
  }

  std::array<Block, 29> blocks_;  // enough for all 2^32 numbers
  EntryId end_ = 0;               // numbers ever given
  std::vector<EntryId> free_;
};

}  // namespace larder::memory
