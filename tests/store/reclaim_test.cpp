// The limit: it holds with several processes and with pinned views, old segments go first, and what pins
// hold is counted until they let go.
#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

std::uint64_t bytes_on_disk(const Directory& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.files().v1())) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

TEST(Reclaim, TheLimitHoldsWhateverIsPut) {
  const Directory directory;
  const std::uint64_t limit = 16 * k_mib;
  Process a(directory, limit);
  Process b(directory, limit);
  for (int i = 0; i < 600; ++i) {
    Process& process = i % 2 == 0 ? a : b;
    const std::size_t size = i % 50 == 0 ? 2 * k_mib : 100'000;
    ASSERT_EQ(process.put(Key{"k", i}, noise(size, 1)), Put::stored) << i;
    ASSERT_LE(process.store->usage().bytes, limit);
    ASSERT_LE(bytes_on_disk(directory), limit);
  }
  EXPECT_GT(a.counted(Counter::segments_reclaimed) + b.counted(Counter::segments_reclaimed), 20u);
  EXPECT_TRUE(a.get(Key{"k", 599}) == noise(100'000, 1));
  EXPECT_TRUE(b.get(Key{"k", 599}) == noise(100'000, 1));
  EXPECT_EQ(a.get(Key{"k", 1}), std::nullopt) << "the oldest go first";
  EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
}

TEST(Reclaim, APinnedViewStaysWholeAndCountsUntilItGoes) {
  const Directory directory;
  const std::uint64_t limit = 16 * k_mib;
  Process process(directory, limit);
  const std::string value = noise(3 * k_mib, 1);
  ASSERT_EQ(process.put(Key{"pinned"}, value), Put::stored);
  Lookup pinned = process.store->get(Key{"pinned"});
  ASSERT_TRUE(pinned.found);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(100'000, 2)), Put::stored);
  EXPECT_TRUE(Process::text(pinned.found->value) == value);
  EXPECT_LE(process.store->usage().bytes, limit);
  process.store->clear();
  const std::uint64_t held = process.store->usage().bytes;
  pinned.found.reset();
  process.put(Key{"k"}, "x");
  process.store->clear();
  EXPECT_LT(process.store->usage().bytes + 2 * k_mib, held);
}

TEST(Reclaim, PinsThatFillTheLimitRefuseAPut) {
  const Directory directory;
  const std::uint64_t limit = 16 * k_mib;
  Process process(directory, limit);
  Process other(directory, limit);
  std::vector<Lookup> pins;
  Put put = Put::stored;
  for (int i = 0; i < 20 && put == Put::stored; ++i) {
    put = process.put(Key{"k", i}, noise(2 * k_mib, 1));
    if (put == Put::stored) pins.push_back(other.store->get(Key{"k", i}));
  }
  EXPECT_EQ(put, Put::no_room);
  EXPECT_LE(process.store->usage().bytes, limit);
  for (const Lookup& pin : pins) {
    ASSERT_TRUE(pin.found);
    EXPECT_TRUE(Process::text(pin.found->value) == noise(2 * k_mib, 1));
  }
  pins.clear();
  other.store->maintain();
  EXPECT_EQ(process.put(Key{"again"}, noise(2 * k_mib, 3)), Put::stored);
}

TEST(Reclaim, AnIdleReaderDoesNotEmptyTheStore) {
  const Directory directory;
  Process writer(directory, 16 * k_mib);
  Process idle(directory, 16 * k_mib);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(writer.put(Key{"k", i}, noise(100'000, 1)), Put::stored);
    ASSERT_TRUE(idle.get(Key{"k", i}));
  }
  const std::uint64_t segments = writer.store->usage().segments;
  for (int i = 100; i < 200; ++i) writer.put(Key{"k", i}, noise(100'000, 1));
  EXPECT_GE(writer.store->usage().segments + 5, segments);
  idle.store->maintain();
  EXPECT_EQ(writer.put(Key{"last"}, "x"), Put::stored);
}

TEST(Reclaim, ASmallerLimitShrinksTheStore) {
  const Directory directory;
  Process process(directory, 64 * k_mib);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(100'000, 1)), Put::stored);
  EXPECT_GT(process.store->usage().bytes, 40 * k_mib);
  process.store.reset();
  Process smaller(directory, 20 * k_mib);
  EXPECT_EQ(smaller.store->usage().limit, 20 * k_mib);
  EXPECT_LE(smaller.store->usage().bytes, 20 * k_mib);
  EXPECT_TRUE(smaller.get(Key{"k", 499}));
  Process unset(directory, std::nullopt);
  EXPECT_EQ(unset.store->usage().limit, 20 * k_mib);
}

TEST(Reclaim, ALimitThatHoldsNothingIsAnErrorThatNamesTheOptionAndOneThatIsEnough) {
  const Directory directory;
  observe::Counters counters;
  const auto refused =
      Store::open({directory.path(), 64 * 1024, Verification::boot, Durability::synced, &counters, {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::invalid_option);
  EXPECT_EQ(refused.error().what(), "Options::store is 64 KiB, too little for the store in " +
                                        directory.path().string() + ", which takes at least 2.27 MiB");
  EXPECT_EQ(refused.error().help(), "set it to 3MiB or more; 0: no store");
  Process process(directory, 3 * k_mib);
  EXPECT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  EXPECT_EQ(process.put(Key{"large"}, noise(10 * k_mib, 1)), Put::too_large);
}

TEST(Reclaim, ARefusedPutDoesNotLeaveTheOlderValue) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  ASSERT_EQ(process.put(Key{"k"}, "old"), Put::stored);
  const std::uint64_t stamp = process.store->stamp(Key{"k"});
  EXPECT_EQ(process.put(Key{"k"}, noise(20 * k_mib, 1)), Put::too_large);
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
  EXPECT_NE(process.store->stamp(Key{"k"}), stamp);
}

}  // namespace
}  // namespace larder::store
