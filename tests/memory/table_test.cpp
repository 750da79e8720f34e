#include "memory/table.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

namespace larder::memory {
namespace {

EntryId find_only(const Table& table, std::uint32_t tag, EntryId wanted) {
  return table.find(tag, [&](EntryId id) { return id == wanted; });
}

TEST(Table, AnEmptyTableFindsNothing) {
  const Table table;
  EXPECT_EQ(table.find(0, [](EntryId) { return true; }), Table::k_none);
}

TEST(Table, EntriesOfOneTagAreToldApartByTheCaller) {
  Table table;
  table.fit(2);
  table.insert(7, 1, nullptr);
  table.insert(7, 2, nullptr);
  EXPECT_EQ(find_only(table, 7, 1), 1u);
  EXPECT_EQ(find_only(table, 7, 2), 2u);
  EXPECT_EQ(find_only(table, 7, 3), Table::k_none);
  table.erase(7, 1);
  EXPECT_EQ(find_only(table, 7, 1), Table::k_none);
  EXPECT_EQ(find_only(table, 7, 2), 2u);
}

TEST(Table, ATagThatIsNotInAsksTheCallerNothing) {
  Table table;
  table.fit(1);
  table.insert(16, 1, nullptr);
  EXPECT_EQ(table.find(32, [](EntryId) -> bool { throw 0; }), Table::k_none);
}

// Few distinct tags with equal low bits: long runs that wrap around the end of the table.
TEST(Table, BehavesLikeASetOfPairsWhenTagsCollide) {
  EXPECT_TRUE(rc::check([] {
    Table table;
    std::map<EntryId, std::uint32_t> model;
    const auto steps = *rc::gen::container<std::vector<std::pair<std::uint8_t, std::uint8_t>>>(
        rc::gen::pair(rc::gen::arbitrary<std::uint8_t>(), rc::gen::arbitrary<std::uint8_t>()));
    for (const auto& [number, low] : steps) {
      const EntryId id = number % 64;
      if (model.contains(id)) {
        table.erase(model[id], id);
        model.erase(id);
      } else {
        const std::uint32_t tag = 0xfffffff0u * (low & 1) + (12u + low % 6);
        table.fit(model.size() + 1);
        table.insert(tag, id, nullptr);
        model[id] = tag;
      }
      for (const auto& [in, tag] : model) RC_ASSERT(find_only(table, tag, in) == in);
      std::map<EntryId, std::uint32_t> listed;
      table.for_each([&](std::uint32_t tag, EntryId in) { listed[in] = tag; });
      RC_ASSERT(listed == model);
    }
  }));
}

}  // namespace
}  // namespace larder::memory
