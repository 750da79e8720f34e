#include "store/tags.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <memory>
#include <thread>

#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

struct Memory {
  std::array<TagTable::Counter, 4096> generations{};
  TagTable::Counter clock{1};
};

TEST(Tags, AnEntryIsCurrentUntilOneOfItsTagsIsInvalidated) {
  const auto memory = std::make_unique<Memory>();
  TagTable table(memory->generations, memory->clock);
  const Stamps before{table.moment(), {1, 2}};
  const Stamps other{table.moment(), {3}};
  EXPECT_TRUE(table.current(before));
  table.invalidate(2);
  EXPECT_FALSE(table.current(before));
  EXPECT_TRUE(table.current(other));
  EXPECT_TRUE(table.current(Stamps{table.moment(), {1, 2}})) << "begun afterwards";
  EXPECT_TRUE(table.current(Stamps{0, {}})) << "without tags";
}

TEST(Tags, WhoAskedBeforeAnInvalidationMayHaveWhatItPutsOutOfDate) {
  const auto memory = std::make_unique<Memory>();
  TagTable table(memory->generations, memory->clock);
  const Stamps stamps{table.moment(), {1}};
  const std::uint64_t before = table.moment();
  table.invalidate(1);
  EXPECT_TRUE(table.current(stamps, before));
  EXPECT_FALSE(table.current(stamps, table.moment()));
}

TEST(Tags, TagsOfOneGenerationPutTooMuchOutOfDateNeverTooLittle) {
  const auto memory = std::make_unique<Memory>();
  TagTable table(memory->generations, memory->clock);
  const Stamps stamps{table.moment(), {7}};
  table.invalidate(7 + memory->generations.size());
  EXPECT_FALSE(table.current(stamps));
}

TEST(Tags, GenerationsBeyondTheClockComeBackToIt) {
  const auto memory = std::make_unique<Memory>();
  TagTable table(memory->generations, memory->clock);
  const Stamps stamps{table.moment(), {7}};
  table.invalidate(3);
  memory->generations[7] = UINT64_MAX;
  table.settle();
  EXPECT_FALSE(table.current(stamps)) << "began before";
  EXPECT_TRUE(table.current(Stamps{table.moment(), {7, 3}})) << "begins now";
}

// Against a list of what happened: entries are current exactly if nothing of theirs was invalidated since they began.
TEST(Tags, CurrentIsWhatWasNotInvalidatedSinceItBegan) {
  EXPECT_TRUE(
      rc::check([](const std::vector<std::vector<std::uint8_t>>& entries, const std::vector<std::uint8_t>& plan) {
        const auto memory = std::make_unique<Memory>();
        TagTable table(memory->generations, memory->clock);
        std::map<TagId, std::size_t> invalidated;  // the step
        struct Entry {
          Stamps stamps;
          std::size_t step;
        };
        std::vector<Entry> kept;
        for (std::size_t step = 0; step < plan.size(); ++step) {
          if (plan[step] % 2 == 0 && !entries.empty()) {
            const std::vector<std::uint8_t>& tags = entries[plan[step] % entries.size()];
            kept.push_back({{table.moment(), {tags.begin(), tags.end()}}, step});
          } else {
            table.invalidate(plan[step]);
            invalidated[plan[step]] = step;
          }
          for (const Entry& entry : kept) {
            const bool since = std::ranges::any_of(entry.stamps.tags, [&](TagId tag) {
              return invalidated.contains(tag) && invalidated[tag] > entry.step;
            });
            RC_ASSERT(table.current(entry.stamps) == !since);
          }
        }
      }));
}

TEST(Tags, InvalidationsOfManyThreadsAllCount) {
  const auto memory = std::make_unique<Memory>();
  TagTable table(memory->generations, memory->clock);
  std::array<std::thread, 4> threads;
  for (std::thread& thread : threads) {
    thread = std::thread([table]() mutable {
      for (int i = 0; i < 20'000; ++i) {
        const Stamps stamps{table.moment(), {1}};
        table.invalidate(1);
        ASSERT_FALSE(table.current(stamps));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Stamps stamps_now(const Process& process, std::vector<TagId> tags) {
  return {process.store->tags().moment(), std::move(tags)};
}

void put(Process& process, const Key& key, Stamps stamps) {
  const Bytes bytes = std::as_bytes(std::span("value", 5));
  EXPECT_EQ(process.store->put(key, {"text", 5, 7, k_no_expiry, std::move(stamps)}, std::span(&bytes, 1),
                               process.store->stamp(key)),
            Put::stored);
}

TEST(Tags, OfRecordsArePutOutOfDateForEveryProcessAndForGood) {
  const Directory directory;
  Process one(directory);
  Process other(directory);
  put(one, Key{"both"}, stamps_now(one, {1, 2}));
  put(one, Key{"second"}, stamps_now(one, {2}));
  put(one, Key{"none"}, {});
  EXPECT_TRUE(other.get(Key{"both"}));
  other.store->tags().invalidate(1);
  EXPECT_EQ(one.store->get(Key{"both"}).miss, Miss::invalidated);
  EXPECT_FALSE(one.store->find(Key{"both"}));
  EXPECT_TRUE(one.get(Key{"second"}));
  one.store.reset();
  other.store.reset();
  for (int restart = 0; restart < 2; ++restart) {
    one.open();
    EXPECT_FALSE(one.get(Key{"both"}));
    EXPECT_TRUE(one.get(Key{"second"}));
    EXPECT_TRUE(one.get(Key{"none"}));
    int listed = 0;
    one.store->for_each([&](const Listed&) { ++listed; });
    EXPECT_EQ(listed, 2);
    one.store.reset();
    reboot(directory);
  }
}

TEST(Tags, AreAllInvalidatedWhereNobodyKnowsWhichWere) {
  const Directory directory;
  Process process(directory);
  put(process, Key{"tagged"}, stamps_now(process, {1}));
  put(process, Key{"none"}, {});
  process.store.reset();
  std::filesystem::remove(directory.files().gen());
  for (int i = 0; i < 3; ++i) {
    process.open();
    EXPECT_FALSE(process.get(Key{"tagged"}));
    EXPECT_TRUE(process.get(Key{"none"}));
    put(process, Key{"later", i}, stamps_now(process, {1}));
    EXPECT_TRUE(process.get(Key{"later", i}));
    process.store.reset();
    if (i == 1) reboot(directory);
  }
}

}  // namespace
}  // namespace larder::store
