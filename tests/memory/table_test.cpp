#include "memory/table.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <vector>

namespace larder::memory {
namespace {

// Records that a table may point to, by number.
class Some {
 public:
  explicit Some(EntryId count) {
    for (EntryId id = 0; id < count; ++id) records_.emplace_back(Key{"k"}, nullptr, nullptr, 0, 0, 0, 0, id);
  }
  const Record& operator[](EntryId id) const { return records_[id]; }

 private:
  std::deque<Record> records_;
};

bool has(const Table& table, std::uint32_t tag, const Record& wanted) {
  const Record* found = table.find(tag, [&](const Record& record) { return &record == &wanted; });
  return found == &wanted;
}

void insert(Table& table, std::uint32_t tag, const Record& record) {
  static_cast<void>(table.fit());
  table.insert(tag, record);
}

TEST(Table, AnEmptyTableFindsNothing) {
  const Table table;
  EXPECT_EQ(table.find(0, [](const Record&) { return true; }), nullptr);
}

TEST(Table, EntriesOfOneTagAreToldApartByTheCaller) {
  const Some some(4);
  Table table;
  insert(table, 7, some[1]);
  insert(table, 7, some[2]);
  EXPECT_TRUE(has(table, 7, some[1]));
  EXPECT_TRUE(has(table, 7, some[2]));
  EXPECT_FALSE(has(table, 7, some[3]));
  table.erase(7, some[1]);
  EXPECT_FALSE(has(table, 7, some[1]));
  EXPECT_TRUE(has(table, 7, some[2]));
  table.replace(7, some[2], some[3]);
  EXPECT_FALSE(has(table, 7, some[2]));
  EXPECT_TRUE(has(table, 7, some[3]));
}

TEST(Table, ATagThatIsNotInAsksTheCallerNothing) {
  const Some some(1);
  Table table;
  insert(table, 16, some[0]);
  EXPECT_EQ(table.find(32, [](const Record&) -> bool { throw 0; }), nullptr);
  EXPECT_EQ(table.find(16 + (1u << 16), [](const Record&) -> bool { throw 0; }), nullptr);
}

TEST(Table, WhatIsReleasedIsEmptyAndCanBeFilledAnew) {
  const Some some(1);
  Table table;
  insert(table, 1, some[0]);
  table.erase(1, some[0]);
  EXPECT_NE(table.release(), nullptr);
  EXPECT_FALSE(has(table, 1, some[0]));
  insert(table, 1, some[0]);
  EXPECT_TRUE(has(table, 1, some[0]));
}

// Few distinct tags with equal low bits: long runs that wrap around the end of the table.
TEST(Table, BehavesLikeASetOfPairsWhenTagsCollide) {
  const Some some(64);
  EXPECT_TRUE(rc::check([&] {
    Table table;
    std::map<EntryId, std::uint32_t> model;
    const auto steps = *rc::gen::container<std::vector<std::pair<std::uint8_t, std::uint8_t>>>(
        rc::gen::pair(rc::gen::arbitrary<std::uint8_t>(), rc::gen::arbitrary<std::uint8_t>()));
    for (const auto& [number, low] : steps) {
      const EntryId id = number % 64;
      if (model.contains(id)) {
        table.erase(model[id], some[id]);
        model.erase(id);
      } else {
        const std::uint32_t tag = 0xfffffff0u * (low & 1) + (12u + low % 6);
        insert(table, tag, some[id]);
        model[id] = tag;
      }
      for (const auto& [in, tag] : model) RC_ASSERT(has(table, tag, some[in]));
      std::map<EntryId, std::uint32_t> listed;
      table.for_each([&](std::uint32_t tag, const Record& record) { listed[record.id] = tag; });
      RC_ASSERT(listed == model);
    }
  }));
}

// All in one run of cells, that every erasure moves.
TEST(Table, WhatStaysIsFoundWhileOthersComeAndLeaveAndTheTableGrows) {
  constexpr EntryId k_stay = 8;
  constexpr EntryId k_all = 200;
  const Some some(k_all);
  Table table;
  std::vector<Table::Old> old;  // to the end: this is not about their destruction
  for (EntryId id = 0; id < 2 * k_stay; ++id) insert(table, 5, some[id]);
  for (EntryId id = 0; id < k_stay; ++id) table.erase(5, some[id]);
  std::atomic<bool> done{false};
  std::atomic<int> missed{0};
  std::atomic<int> looked{0};
  std::vector<std::jthread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&] {
      do {
        for (EntryId id = k_stay; id < 2 * k_stay; ++id) missed += has(table, 5, some[id]) ? 0 : 1;
        ++looked;
      } while (!done);
    });
  }
  for (int round = 0; round < 300 || looked < 10; ++round) {
    for (EntryId id = 0; id < k_stay; ++id) insert(table, 5, some[id]);
    for (EntryId id = 0; id < k_stay; ++id) table.erase(5, some[id]);
    if (round % 100 != 0) continue;
    for (EntryId id = 2 * k_stay; id < k_all; ++id) {
      if (Table::Old before = table.fit(); before != nullptr) old.push_back(std::move(before));
      table.insert(6, some[id]);
    }
    for (EntryId id = 2 * k_stay; id < k_all; ++id) table.erase(6, some[id]);
  }
  done = true;
  readers.clear();
  EXPECT_EQ(missed, 0);
  EXPECT_FALSE(old.empty());
}

}  // namespace
}  // namespace larder::memory
