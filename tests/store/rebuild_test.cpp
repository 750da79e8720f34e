// After a restart of the machine the index is made anew from the segments: with a footer, without one, with
// the journal, and with damage. The newest whole record of a key wins; what is gone stays gone.
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <csignal>

#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

TEST(Rebuild, FindsEverythingFromFootersAndWithoutThem) {
  const Directory directory;
  Process process(directory);
  for (int i = 0; i < 300; ++i)
    ASSERT_EQ(process.put(Key{"k", i}, noise(30'000, static_cast<std::uint64_t>(i))), Put::stored);
  ASSERT_EQ(process.put(Key{"large"}, noise(5 * k_mib, 7)), Put::stored);
  ASSERT_EQ(process.put(Key{"k", 5}, "newer"), Put::stored);
  ASSERT_GE(process.store->usage().segments, 3u) << "some are sealed, the last one is not";
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.counted(Counter::rebuilt), 1u);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(process.get(Key{"k", i}), i == 5 ? "newer" : noise(30'000, static_cast<std::uint64_t>(i))) << i;
  }
  EXPECT_TRUE(process.get(Key{"large"}) == noise(5 * k_mib, 7));
  EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
  process.reopen();
  EXPECT_EQ(process.counted(Counter::rebuilt), 1u) << "once";
}

TEST(Rebuild, OfManySegmentsIsDoneBySeveralThreadsAndMissesNone) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  constexpr int k_values = 40;  // each in a segment of its own
  for (int i = 0; i < k_values; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(270'000, 1)), Put::stored);
  process.store.reset();
  ASSERT_EQ(segment_files(directory).size(), static_cast<std::size_t>(k_values));
  reboot(directory);
  {
    // One that cannot be opened for a moment must not be taken for lost, whichever thread meets it.
    Twin twin;
    std::atomic<int> opened{0};
    twin.refuse = [&](os::Call call, const std::string& path) {
      return call == os::Call::open && path.ends_with(".seg") && ++opened == 30 ? EMFILE : 0;
    };
    EXPECT_FALSE(Store::open(process.options));
  }
  ASSERT_EQ(segment_files(directory).size(), static_cast<std::size_t>(k_values));
  flip(segment_files(directory)[7], 0);
  process.open();
  int found = 0;
  for (int i = 0; i < k_values; ++i) found += process.get(Key{"k", i}) == noise(270'000, 1) ? 1 : 0;
  EXPECT_EQ(found, k_values - 1) << "all but the damaged one";
  EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
}

TEST(Rebuild, WhatWasRemovedOrClearedStaysGone) {
  const Directory directory;
  Process process(directory);
  process.put(Key{"removed"}, "x");
  process.put(Key{"cleared"}, "x");
  process.store->remove(Key{"removed"});
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"cleared"}), "x");
  Process holds_a_segment_open(directory);
  holds_a_segment_open.put(Key{"cleared", 2}, "x");
  process.store->clear();
  process.put(Key{"after"}, "y");
  holds_a_segment_open.store.reset();
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"cleared"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"cleared", 2}), std::nullopt);
  EXPECT_EQ(process.get(Key{"after"}), "y");
}

TEST(Rebuild, AnOlderRecordDoesNotComeBackWhenTheNewerOnesSegmentWasReclaimed) {
  const Directory directory;
  Process old(directory, 16 * k_mib);
  Process busy(directory, 16 * k_mib);
  // `old` keeps its segment leased, so that it outlives those of `busy`.
  ASSERT_EQ(old.put(Key{"overwritten"}, "old"), Put::stored);
  ASSERT_EQ(old.put(Key{"removed"}, "old"), Put::stored);
  ASSERT_EQ(busy.put(Key{"overwritten"}, "new"), Put::stored);
  busy.store->remove(Key{"removed"});
  for (int i = 0; i < 400; ++i) ASSERT_EQ(busy.put(Key{"k", i}, noise(100'000, 1)), Put::stored);
  ASSERT_EQ(busy.get(Key{"overwritten"}), std::nullopt) << "reclaimed";
  old.store.reset();
  busy.store.reset();
  reboot(directory);
  Process later(directory, 16 * k_mib);
  EXPECT_EQ(later.get(Key{"overwritten"}), std::nullopt);
  EXPECT_EQ(later.get(Key{"removed"}), std::nullopt);
  EXPECT_TRUE(later.get(Key{"k", 399}));
}

TEST(Rebuild, AFooterThatIsDamagedIsNotNeeded) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  for (int i = 0; i < 30; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(50'000, 1)), Put::stored);
  process.store.reset();
  const std::filesystem::path first = segment_files(directory).front();
  flip(first, std::filesystem::file_size(first) - 64);
  reboot(directory);
  process.open();
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(process.get(Key{"k", i}) == noise(50'000, 1)) << i;
}

TEST(Rebuild, DamageOfWhatHidAValueDoesNotBringItBack) {
  // The value; what hides it, in another segment; damage to the latter.
  for (const bool overwritten : {true, false}) {
    for (const bool deleted : {true, false}) {
      const Directory directory;
      Process one(directory);
      Process two(directory);
      ASSERT_EQ(one.put(Key{"k"}, "old"), Put::stored);
      ASSERT_EQ(two.put(Key{"bystander"}, "x"), Put::stored);
      if (overwritten) {
        ASSERT_EQ(two.put(Key{"k"}, "new"), Put::stored);
      } else {
        ASSERT_TRUE(two.store->remove(Key{"k"}));
      }
      one.store.reset();
      two.store.reset();
      reboot(directory);
      if (deleted) {
        std::filesystem::remove(segment_files(directory).back());
      } else {
        flip(segment_files(directory).back(), std::filesystem::file_size(segment_files(directory).back()) - 100);
      }
      Process later(directory);
      EXPECT_EQ(later.get(Key{"k"}), std::nullopt) << overwritten << deleted;
      ASSERT_EQ(later.put(Key{"k"}, "newest"), Put::stored);
      later.store.reset();
      reboot(directory);
      later.open();
      EXPECT_EQ(later.get(Key{"k"}), "newest");
    }
  }
}

TEST(Rebuild, ADamagedFloorOrSequenceIsSafe) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "old"), Put::stored);
  process.store.reset();
  flip(directory.files().control(), offsetof(ControlPage, sequence) + 5, 1);
  process.open();
  ASSERT_EQ(process.put(Key{"k"}, "new"), Put::stored);
  EXPECT_EQ(process.get(Key{"k"}), "new");
  process.store.reset();
  flip(directory.files().control(), offsetof(ControlPage, floor) + 7, 0x40);
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
  ASSERT_EQ(process.put(Key{"k"}, "newest"), Put::stored);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), "newest");
}

TEST(Rebuild, AFloorThatWasRaisedByHalfOrByTwoAtOnceIsNeitherLowerNorTheHighest) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"old"}, "x"), Put::stored);
  const Control control = Control::open(directory.files()).value();
  const std::uint64_t floor = control.last_sequence();
  ASSERT_EQ(process.put(Key{"new"}, "x"), Put::stored);
  control.raise_floor(floor);
  for (const bool first_copy : {true, false}) {
    SCOPED_TRACE(first_copy);
    process.store.reset();
    // As if the raise had not reached this copy.
    if (first_copy) {
      control.page().floor = 0;
    } else {
      control.page().floor_inverse = ~std::uint64_t{0};
    }
    reboot(directory);
    process.open();
    EXPECT_EQ(process.get(Key{"old"}), std::nullopt);
    EXPECT_EQ(process.get(Key{"new"}), "x");
  }
}

TEST(Rebuild, ALostIndexOrGenerationTableIsMadeAnew) {
  for (const char* name : {"index.1", "gen"}) {
    SCOPED_TRACE(name);
    const Directory directory;
    Process process(directory);
    process.put(Key{"k"}, "v");
    process.store.reset();
    std::filesystem::remove(directory.files().v1() / name);
    process.open();
    EXPECT_EQ(process.get(Key{"k"}), "v");
  }
}

TEST(Rebuild, ADamagedControlFileIsAColdStore) {
  const Directory directory;
  Process process(directory);
  process.put(Key{"k"}, "v");
  process.store.reset();
  flip(directory.files().control(), 17);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
  EXPECT_TRUE(segment_files(directory).empty());
  EXPECT_EQ(process.put(Key{"k"}, "w"), Put::stored);
  EXPECT_EQ(process.get(Key{"k"}), "w");
}

TEST(Rebuild, FilesThatAreNoSegmentsOfThisStoreAreDeleted) {
  const Directory directory;
  const Directory foreign;
  Process process(directory);
  Process other(foreign);
  process.put(Key{"k"}, "mine");
  other.put(Key{"k"}, "theirs");
  process.store.reset();
  std::filesystem::copy_file(segment_files(foreign).front(), directory.files().segment(99));
  std::ofstream(directory.files().segments() / "junk") << "junk";
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), "mine");
  EXPECT_EQ(segment_files(directory).size(), 1u);
}

TEST(Rebuild, ASegmentThatCouldNotBeReadStaysGoneIfThePowerBringsItBack) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  process.store.reset();
  const KeptSegment segment(directory);
  reboot(directory);
  {
    Twin twin;
    twin.refuse = [&](os::Call call, const std::string& path) {
      return call == os::Call::open && path == segment.file() ? EIO : 0;
    };
    process.open();
  }
  EXPECT_FALSE(process.store->remove(Key{"k"})) << "nobody knows of it";
  process.store.reset();
  segment.bring_back();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
}

TEST(Rebuild, ASegmentThatCanNeitherBeReadNorDeletedKeepsTheStoreClosed) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  process.store.reset();
  const std::filesystem::path segment = segment_files(directory).front();
  reboot(directory);
  {
    Twin twin;
    twin.refuse = [&](os::Call call, const std::string& path) {
      return path != segment ? 0 : call == os::Call::open ? EIO : call == os::Call::unlink ? EIO : 0;
    };
    const Result<std::unique_ptr<Store>> opened = Store::open(process.options);
    ASSERT_FALSE(opened);
    EXPECT_NE(std::string(opened.error().what()).find(segment.string()), std::string::npos) << opened.error().what();
  }
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), "v") << "which is whole, as can be seen now";
}

TEST(Rebuild, KnowsWhichSegmentsAreGoneForGoodBeforeItForgetsWhatHidTheirRecords) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  const KeptSegment segment(directory);
  process.store->clear();
  process.store.reset();
  reboot(directory);
  bool synced = false;
  {
    Twin twin;
    twin.refuse = [&](os::Call call, const std::string& path) {
      synced |= call == os::Call::sync && path == directory.files().segments();
      return 0;
    };
    twin.at = [&](std::string_view point) {
      if (point != "store.journal.made" || synced) return;
      // The power goes when the new journal is in force.
      segment.bring_back();
    };
    process.open();
  }
  EXPECT_TRUE(synced);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
}

// Of descriptors or memory there may be more a moment later.
TEST(Rebuild, AFileThatCannotBeOpenedForNowIsNotTakenForLost) {
  for (const bool journal : {false, true}) {
    const Directory directory;
    Process process(directory);
    ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
    process.store.reset();
    const std::filesystem::path file = journal ? directory.files().journal(1) : segment_files(directory).front();
    reboot(directory);
    {
      Twin twin;
      twin.refuse = [&](os::Call call, const std::string& path) {
        return call == os::Call::open && path == file ? EMFILE : 0;
      };
      const Result<std::unique_ptr<Store>> opened = Store::open(process.options);
      ASSERT_FALSE(opened) << file;
      EXPECT_EQ(opened.error().code(), Errc::exhausted);
    }
    process.open();
    EXPECT_EQ(process.get(Key{"k"}), "v") << file;
  }
}

TEST(Rebuild, KilledAnywhereItIsBegunAgain) {
  for (const char* point : {"store.rebuild.begun", "store.rebuild.listed", "store.rebuild.filled"}) {
    SCOPED_TRACE(point);
    const Directory directory;
    Process process(directory);
    for (int i = 0; i < 50; ++i) process.put(Key{"k", i}, noise(1000, 1));
    process.store.reset();
    reboot(directory);
    const pid_t child = ::fork();
    if (child == 0) {
      Twin twin;
      twin.at = [&](std::string_view reached) {
        if (reached == point) ::raise(SIGKILL);
      };
      process.open();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    process.open();
    EXPECT_EQ(process.counted(Counter::rebuilt), 1u);
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(process.get(Key{"k", i}) == noise(1000, 1));
  }
}

}  // namespace
}  // namespace larder::store
