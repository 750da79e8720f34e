// Room for records of one type, numbered densely, in blocks: records never move, and growing copies
// nothing.
#pragma once

#include <array>
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
  // The number that put() will give.
  [[nodiscard]] EntryId next() const noexcept { return free_.empty() ? end_ : free_.back(); }
  EntryId put(T&& record) {
    EntryId id = end_;
    if (free_.empty()) {
      if (id / k_block == blocks_.size()) {
        free_.reserve(id + k_block);  // so that take() needs no memory
        blocks_.push_back(std::make_unique_for_overwrite<Room[]>(k_block));
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

  // Large enough for the system to back only those of a block's pages that were ever used.
  static constexpr std::size_t k_block = 1024;
  [[nodiscard]] Room& room(EntryId id) const { return blocks_[id / k_block][id % k_block]; }

  std::vector<Block> blocks_;
  EntryId end_ = 0;  // numbers ever given
  std::vector<EntryId> free_;
};

}  // namespace larder::memory
