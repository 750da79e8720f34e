// What memory keeps of an entry, and where: records never move, and are numbered densely, as the policy wants it.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include <larder/codec.hpp>
#include <larder/key.hpp>

#include "policy/policy.hpp"

namespace larder::memory {

using policy::EntryId;

// Two cache lines: the first is compared, the second handed out. While it is in sight, only `hits` changes.
struct alignas(64) Record {
  Key key;
  detail::Value value;
  const detail::Type* type;
  std::uint64_t stamp;
  std::int64_t expires_ms;
  std::uint64_t cost_ns;
  std::uint64_t weight;  // of the value
  EntryId id;
  mutable std::atomic<std::uint8_t> hits{0};  // since the policy asked last; it is content if some are lost
};
static_assert(sizeof(Record) == 128, "k_entry_overhead was measured with this");

// Places for records. Not thread-safe, but for at() and aside(), which may be asked, for numbers that have a place,
// while others are given.
class Records {
 public:
  static constexpr EntryId k_none = UINT32_MAX;

  // What is seldom asked for.
  struct Aside {
    std::int64_t created_ms = 0;
    EntryId link = k_none;  // for lists of records, of the owner's
  };

  Records() = default;
  ~Records() { release(); }
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  // A place, without a record yet. If there is no memory, std::bad_alloc.
  [[nodiscard]] EntryId take() {
    if (free_ != k_none) {
      ++taken_;
      return std::exchange(free_, aside(free_).link);
    }
    if (const Where where = find(end_); blocks_[where.block].records == nullptr)
      blocks_[where.block] = make(where.block);
    ++taken_;
    return end_++;
  }
  // REQUIRES: it has no record any more.
  void give_back(EntryId id) noexcept {
    aside(id).link = std::exchange(free_, id);
    --taken_;
  }
  // Places that are taken.
  [[nodiscard]] std::size_t size() const noexcept { return taken_; }
  // Gives the memory back. REQUIRES: no place is taken.
  void release() noexcept {
    for (Block& block : blocks_) {
      if (block.records == nullptr) continue;
      ::operator delete (block.records, std::align_val_t{alignof(Record)});
      delete[] std::exchange(block, Block{}).aside;
    }
    end_ = 0;
    free_ = k_none;
  }

  [[nodiscard]] Record& at(EntryId id) const noexcept {
    const Where where = find(id);
    return blocks_[where.block].records[where.place];
  }
  [[nodiscard]] Aside& aside(EntryId id) const noexcept {
    const Where where = find(id);
    return blocks_[where.block].aside[where.place];
  }

 private:
  struct Block {
    Record* records = nullptr;
    Aside* aside = nullptr;
  };
  struct Where {
    unsigned block;
    std::size_t place;
  };

  // Each block is as large as all before it and one more first one: so there are few, and their list never moves. Of
  // a block, the system backs only pages that were ever used.
  static constexpr unsigned k_first_log2 = 10;
  static constexpr unsigned k_blocks = 32 - k_first_log2;

  static constexpr std::size_t block_size(unsigned block) noexcept { return std::size_t{1} << (k_first_log2 + block); }
  static constexpr Where find(EntryId id) noexcept {
    const std::uint64_t from_first = std::uint64_t{id} + block_size(0);
    const auto block = static_cast<unsigned>(std::bit_width(from_first)) - 1 - k_first_log2;
    return {block, from_first - block_size(block)};
  }
  static Block make(unsigned block) {
    auto aside = std::unique_ptr<Aside[]>(new Aside[block_size(block)]);
    void* records = ::operator new (block_size(block) * sizeof(Record), std::align_val_t{alignof(Record)});
    return {static_cast<Record*>(records), aside.release()};
  }

  std::array<Block, k_blocks> blocks_{};
  EntryId end_ = 0;        // numbers ever given
  EntryId free_ = k_none;  // the first of a list
  std::size_t taken_ = 0;
};

}  // namespace larder::memory
