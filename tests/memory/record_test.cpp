#include "memory/record.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace larder::memory {
namespace {

TEST(Records, NumbersAreDenseAndUsedAgain) {
  Records records;
  for (EntryId id = 0; id < 5000; ++id) EXPECT_EQ(records.take(), id);
  records.give_back(42);
  records.give_back(7);
  EXPECT_EQ(records.size(), 4998u);
  EXPECT_EQ(records.take(), 7u);
  EXPECT_EQ(records.take(), 42u);
  EXPECT_EQ(records.take(), 5000u);
}

TEST(Records, PlacesAreApartAlignedAndStayWhereTheyAre) {
  Records records;
  std::vector<const Record*> where;
  for (EntryId id = 0; id < 10'000; ++id) {
    where.push_back(&records.at(records.take()));
    records.aside(id).created_ms = id;
  }
  for (EntryId id = 0; id < 10'000; ++id) {
    EXPECT_EQ(&records.at(id), where[id]);
    EXPECT_EQ(records.aside(id).created_ms, id);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(where[id]) % 64, 0u);
  }
  std::sort(where.begin(), where.end());
  for (std::size_t i = 1; i < where.size(); ++i) EXPECT_GE(where[i] - where[i - 1], 1);
}

TEST(Records, WhatIsReleasedBeginsAnew) {
  Records records;
  for (EntryId id = 0; id < 3000; ++id) static_cast<void>(records.take());
  for (EntryId id = 0; id < 3000; ++id) records.give_back(id);
  records.release();
  EXPECT_EQ(records.size(), 0u);
  EXPECT_EQ(records.take(), 0u);
}

}  // namespace
}  // namespace larder::memory
