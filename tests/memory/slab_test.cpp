#include "memory/slab.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace larder::memory {
namespace {

TEST(Slab, NumbersAreDenseAndUsedAgain) {
  Slab<std::string> slab;
  for (EntryId id = 0; id < 100; ++id) EXPECT_EQ(slab.put(std::to_string(id)), id);
  EXPECT_EQ(slab.take(42), "42");
  EXPECT_EQ(slab.take(7), "7");
  EXPECT_EQ(slab.size(), 98u);
  EXPECT_EQ(slab.put("new"), 7u);
  EXPECT_EQ(slab.put("newer"), 42u);
  EXPECT_EQ(slab.put("newest"), 100u);
  EXPECT_EQ(slab[42], "newer");
  for (EntryId id = 0; id <= 100; ++id) static_cast<void>(slab.take(id));
  EXPECT_EQ(slab.size(), 0u);
}

TEST(Slab, RecordsKeepTheirAddressesAndAreAligned) {
  struct alignas(64) Line {
    int value;
  };
  Slab<Line> slab;
  std::vector<const Line*> where;
  for (int i = 0; i < 5000; ++i) where.push_back(&slab[slab.put({i})]);
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(where[static_cast<std::size_t>(i)], &slab[static_cast<EntryId>(i)]);
    EXPECT_EQ(where[static_cast<std::size_t>(i)]->value, i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(where[static_cast<std::size_t>(i)]) % 64, 0u);
  }
}

TEST(Slab, TakingARecordLeavesNothingOfItBehind) {
  Slab<std::shared_ptr<int>> slab;
  auto value = std::make_shared<int>(1);
  const EntryId id = slab.put(std::shared_ptr(value));
  EXPECT_EQ(value.use_count(), 2);
  EXPECT_EQ(slab.take(id), value);
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace larder::memory
