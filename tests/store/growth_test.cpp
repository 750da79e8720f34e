// The index grows while it is used: nothing is lost by that, and whoever looks, also with a store that was opened
// before, finds what was put anywhere.
#include <thread>

#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr int k_slots_at_first = 8192;  // of a small store

Key key_of(int i) {
  return Key{"k", i};
}

// How many of the keys from 0 on are found.
int found(Process& process, int count) {
  int there = 0;
  for (int i = 0; i < count; ++i) there += process.get(key_of(i)) == std::to_string(i) ? 1 : 0;
  return there;
}

// Puts keys from `from` on until the index has grown to 2^log2 buckets, and returns where it stopped.
int put_until(Process& process, const IndexOf& index, int from, std::uint32_t log2) {
  int i = from;
  for (; index.shape().log2 < log2; ++i) EXPECT_EQ(process.put(key_of(i), std::to_string(i)), Put::stored);
  return i;
}

TEST(Growth, HappensWhenTheIndexIsFullAndFewHadToGiveWayBefore) {
  const Directory directory;
  Process process(directory);
  const IndexOf index(directory);
  const std::uint32_t first = index.shape().log2;
  int count = 0;
  for (std::uint32_t log2 = first; log2 < first + 3; ++log2) {
    const double slots = static_cast<double>(index.all().size());
    count = put_until(process, index, count, log2 + 1);
    const double entries = static_cast<double>(count) - static_cast<double>(process.counted(Counter::index_evicted));
    EXPECT_GT(entries / slots, 0.84);
    EXPECT_LE(8 * slots / entries, 9.5) << "bytes of index an entry";
    EXPECT_LT(static_cast<double>(process.counted(Counter::index_evicted)) / entries, 0.001);
  }
  EXPECT_EQ(found(process, count), count - static_cast<int>(process.counted(Counter::index_evicted)));
  EXPECT_NO_THROW(process.store->check());
  const Usage usage = process.store->usage();
  EXPECT_LE(usage.bytes, usage.limit);
}

TEST(Growth, IsSeenByWhoHadTheStoreOpenBefore) {
  const Directory directory;
  Process before(directory);
  Process process(directory);
  const IndexOf index(directory);
  const int count = put_until(process, index, 0, index.shape().log2 + 2);
  EXPECT_GE(found(before, count), count - static_cast<int>(process.counted(Counter::index_evicted)));
  // What was put when it was small, and what was put when it was large.
  for (const int i : {1, 2, 3, count - 3, count - 2, count - 1}) {
    ASSERT_EQ(process.get(key_of(i)), std::to_string(i));
    EXPECT_TRUE(before.store->remove(key_of(i))) << i;
    EXPECT_EQ(process.get(key_of(i)), std::nullopt) << i;
    EXPECT_EQ(before.put(key_of(i), "again"), Put::stored);
    EXPECT_EQ(process.put(key_of(i), "once more"), Put::stored);
    EXPECT_EQ(before.get(key_of(i)), "once more");
  }
  before.store->check();
  before.store->clear();
  EXPECT_EQ(found(process, count), 0);
}

TEST(Growth, IsUndoneByNoRestartAndLookupsAreShortAgainAfterOne) {
  const Directory directory;
  int count = 0;
  int evicted = 0;
  {
    Process process(directory);
    const IndexOf index(directory);
    count = put_until(process, index, 0, index.shape().log2 + 2);
    evicted = static_cast<int>(process.counted(Counter::index_evicted));
  }
  reboot(directory);
  Process process(directory);
  EXPECT_EQ(found(process, count), count - evicted);
  const IndexShape shape = IndexOf(directory).shape();
  EXPECT_EQ(shape.first_log2, shape.log2) << "each key has two buckets";
  EXPECT_GT(shape.bytes(), 8u * k_slots_at_first);
}

TEST(Growth, KilledInTheMiddleIsBegunAgain) {
  const Directory directory;
  die_at("store.index.grown", directory, [&](Process& dying) {
    for (int i = 0;; ++i) dying.put(key_of(i), std::to_string(i));
  });
  Process process(directory);
  const IndexOf index(directory);
  const std::uint32_t first = index.shape().log2;
  EXPECT_GE(found(process, k_slots_at_first / 2), k_slots_at_first / 2 - 40);
  const int count = put_until(process, index, k_slots_at_first / 2, first + 1);
  EXPECT_GE(found(process, count), count - 80);
  process.store->check();
}

TEST(Growth, ThatFindsNoRoomLeavesAnIndexWhoseEntriesGiveWayToEachOther) {
  const Directory directory;
  Process process(directory);
  const IndexOf index(directory);
  const std::uint32_t first = index.shape().log2;
  {
    Twin twin;
    twin.refuse = [](os::Call call, const std::string& path) {
      return call == os::Call::allocate && path.find("index.") != std::string::npos ? ENOSPC : 0;
    };
    for (int i = 0; i < 2 * k_slots_at_first; ++i) ASSERT_EQ(process.put(key_of(i), std::to_string(i)), Put::stored);
  }
  EXPECT_EQ(index.shape().log2, first);
  EXPECT_GT(process.counted(Counter::fault_no_space), 0u);
  EXPECT_GT(process.counted(Counter::index_evicted), 0u);
  EXPECT_GT(found(process, 2 * k_slots_at_first), k_slots_at_first * 9 / 10);
  // As soon as there is room again.
  put_until(process, index, 2 * k_slots_at_first, first + 1);
}

TEST(Growth, StopsAtItsPartOfTheLimit) {
  const Directory directory;
  Process process(directory, 4 * k_mib);
  const IndexOf index(directory);
  for (int i = 0; i < 40'000; ++i) ASSERT_EQ(process.put(key_of(i), std::to_string(i)), Put::stored);
  EXPECT_LE(index.shape().bytes(), 4 * k_mib / 16);
  EXPECT_LE(process.store->usage().bytes, 4 * k_mib);
}

// An entry whose places are wanted is moved to another of its places.
class Displacement : public ::testing::TestWithParam<const char*> {};

TEST_P(Displacement, BesideARemovalOrAnOverwriteShowsNothingOlderAfterwards) {
  for (const bool removed : {true, false}) {
    const Directory directory;
    Process process(directory);
    Process other(directory);
    other.options.durability = Durability::relaxed;
    other.reopen();
    int count = 0;
    int meant = -1;
    {
      Twin twin;
      twin.at = [&](std::string_view point) {
        if (point != GetParam() || meant >= 0) return;
        meant = count;  // before anything is done that gets here, too
        for (int i = 0; i < meant; ++i) {
          if (removed) {
            other.store->remove(key_of(i));
          } else {
            other.store->touch(key_of(i));
            EXPECT_EQ(other.put(key_of(i), "newer"), Put::stored);
          }
        }
      };
      for (; meant < 0; ++count) ASSERT_EQ(process.put(key_of(count), "older"), Put::stored);
    }
    int lost = 0;
    for (int i = 0; i < meant; ++i) {
      const std::optional<std::string> value = process.get(key_of(i));
      EXPECT_NE(value, "older") << i;
      EXPECT_TRUE(!removed || !value) << i;
      lost += value ? 0 : 1;
    }
    if (!removed) {
      EXPECT_LE(lost, 2 + static_cast<int>(other.counted(Counter::index_evicted)));
    }
    EXPECT_NO_THROW(process.store->check());
  }
}

TEST_P(Displacement, KilledInTheMiddleLosesNothingAndBringsNothingBack) {
  const Directory directory;
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  die_at(GetParam(), directory, [&](Process& dying) {
    for (int i = 0;; ++i) {
      dying.put(key_of(i), std::to_string(i));
      if (::write(pipe[1], &i, sizeof i) != sizeof i) std::abort();
    }
  });
  ::close(pipe[1]);
  int count = 0;
  for (int i = 0; ::read(pipe[0], &i, sizeof i) == sizeof i;) count = i + 1;
  ::close(pipe[0]);
  ASSERT_GT(count, k_slots_at_first / 2);
  Process process(directory);
  EXPECT_EQ(found(process, count), count);
  process.options.durability = Durability::relaxed;
  process.reopen();
  int removed = 0;  // fewer than the journal of a small store has room for
  for (int i = 0; i < count; i += 16, ++removed) EXPECT_TRUE(process.store->remove(key_of(i))) << i;
  EXPECT_EQ(found(process, count), count - removed);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(found(process, count), count - removed);
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, Displacement,
                         ::testing::Values("store.displace.pending", "store.displace.checked",
                                           "store.displace.visible"));

// A removal that looked where the index was, and not where it is, would leave its key.
TEST(Growth, BesideRemovalsAndOverwritesOfOthersNothingComesBack) {
  const Directory directory;
  Process writer(directory);
  const IndexOf index(directory);
  const std::uint32_t wanted = index.shape().log2 + 3;
  std::atomic<bool> done{false};
  std::vector<std::thread> others;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 2; ++t) {
    others.emplace_back([&, t] {
      Process process(directory);
      for (int i = 0; !done; ++i) {
        const Key key{"other", t, i % 64};
        process.put(key, "old");
        process.put(key, "new");
        if (const auto value = process.get(key); value && *value != "new") ++wrong;
        process.store->remove(key);
        if (process.get(key)) ++wrong;
      }
    });
  }
  put_until(writer, index, 0, wanted);
  done = true;
  for (std::thread& other : others) other.join();
  EXPECT_EQ(wrong, 0);
  writer.store->check();
}

}  // namespace
}  // namespace larder::store
