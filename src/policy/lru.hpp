// Least recently used, exactly, provided that every hit is told.
#pragma once

#include <cstddef>
#include <cstdint>

#include "policy/policy.hpp"
#include "policy/queues.hpp"

namespace larder::policy {

class Lru final : public Policy {
 public:
  Lru(Entries& entries, std::uint64_t capacity);

  void fit(EntryId id) override;
  void insert(EntryId id) noexcept override;
  void erase(EntryId id) noexcept override;
  bool evict() noexcept override;
  void resize(std::uint64_t capacity) noexcept override;
  void hit(EntryId id) noexcept override;
  void check(std::size_t entries) const override;

 private:
  Entries& entries_;
  std::uint64_t capacity_;
  std::uint64_t weight_ = 0;
  std::size_t size_ = 0;
  Queues<1> queue_;  // by last use
};

}  // namespace larder::policy
