// The index beside publishers that stop half way: whoever has seen the newer value, and whoever looks at the
// stamps, agrees that the older one is gone.
#include <stdexcept>

#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr Location k_nowhere{900, 64};
constexpr Location k_second_segment{1, sizeof(SegmentHeader)};

TEST(Index, WhoSeesTheNewerValueOfADeadPublisherOutdatesTheOlderOne) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  die_at("store.publish.visible", directory, [&](Process& dying) { dying.put(key, "new"); });
  EXPECT_THROW(process.store->check(), std::logic_error) << "two published slots";
  const std::uint64_t remembered = process.store->stamp(key);
  EXPECT_EQ(process.get(key), "new");
  EXPECT_NO_THROW(process.store->check());
  const std::uint64_t settled = process.store->stamp(key);
  EXPECT_NE(settled, remembered);
  EXPECT_EQ(process.get(key), "new");
  EXPECT_EQ(process.store->stamp(key), settled) << "once";
}

TEST(Index, APutIsNotWithdrawnBecauseALookupClearedWhatADeadPublisherLeft) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  die_at("store.publish.visible", directory, [&](Process& dying) { dying.put(key, "new"); });
  const std::uint64_t stamp = process.store->touch(key);
  EXPECT_EQ(process.get(key), "new");
  const Bytes newest = std::as_bytes(std::span("newest").first(6));
  EXPECT_EQ(process.store->put(key, {"text"}, std::span(&newest, 1), stamp), Put::stored);
  EXPECT_EQ(process.get(key), "newest");
}

TEST(Index, AnOlderSlotIsClearedAlsoIfAnInspectionDistrustsItMeanwhile) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  {
    Twin twin;
    twin.at = [&](std::string_view point) {
      if (point == "store.publish.stamped_again") IndexOf(directory).distrust_from({0, 0});
    };
    ASSERT_EQ(process.put(key, "new"), Put::stored);
  }
  EXPECT_NO_THROW(process.store->check()) << "one published slot";
  EXPECT_EQ(process.get(key), "new");
}

TEST(Index, ItsCheckFindsSlotsThatLeadToNoRecordOrToAnotherKeys) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "x"), Put::stored);
  EXPECT_NO_THROW(process.store->check());
  const IndexOf slots(directory);
  for (const Location at : {k_nowhere, Location{0, sizeof(SegmentHeader)}}) {
    Slot& slot = *slots.find_empty(Key{"other"}.fingerprint());
    slot.store(pack_slot(Key{"other"}.fingerprint(), at));
    EXPECT_THROW(process.store->check(), std::logic_error);
    slot.store(0);
  }
}

TEST(Index, AValueThatTakesTheOlderOnesSlotIsNotSeenBeforeTheStampHasChanged) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  fill_buckets(directory, key, k_nowhere);
  const std::uint64_t remembered = process.store->stamp(key);
  die_at("store.publish.visible", directory, [&](Process& dying) { dying.put(key, "new"); });
  EXPECT_NE(process.store->stamp(key), remembered);
  EXPECT_EQ(process.get(key), "new");
}

TEST(Index, APublisherThatDiedBeforeItsValueShowedIsMadeUpForByTheNext) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  fill_buckets(directory, key, k_nowhere);
  const std::uint64_t remembered = process.store->stamp(key);
  die_at("store.publish.pending", directory, [&](Process& dying) { dying.put(key, "lost"); });
  EXPECT_EQ(process.get(key), std::nullopt);
  EXPECT_EQ(process.store->stamp(key), remembered) << "the older value may be remembered";
  die_at("store.publish.visible", directory, [&](Process& dying) { dying.put(key, "new"); });
  EXPECT_NE(process.store->stamp(key), remembered);
  EXPECT_EQ(process.get(key), "new");
}

TEST(Index, EvictingOneOfTwoSlotsOfAKeyOutdatesWhatIsRememberedOfIt) {
  for (const bool newer_goes : {true, false}) {
    SCOPED_TRACE(newer_goes);
    const Directory directory;
    Process first(directory);
    Process second(directory);
    // The slot whose segment is the oldest is evicted.
    ASSERT_EQ(first.put(Key{"bystander"}, "x"), Put::stored);
    ASSERT_EQ(second.put(Key{"bystander", 2}, "x"), Put::stored);
    Process& older = newer_goes ? second : first;
    const Key key{"k"};
    ASSERT_EQ(older.put(key, "old"), Put::stored);
    (newer_goes ? first : second).store.reset();
    die_at("store.publish.visible", directory, [&](Process& dying) { dying.put(key, "new"); });
    fill_buckets(directory, key, k_second_segment);
    const std::uint64_t remembered = older.store->stamp(key);
    ASSERT_EQ(older.put(neighbor_of(directory, key), "x"), Put::stored);
    EXPECT_EQ(older.counted(Counter::index_evicted), 1u);
    EXPECT_NE(older.store->stamp(key), remembered);
    EXPECT_EQ(older.get(key), newer_goes ? std::nullopt : std::optional<std::string>("new"));
  }
}

}  // namespace
}  // namespace larder::store
