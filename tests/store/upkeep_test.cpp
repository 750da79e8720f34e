// Repair: what is damaged is lost for good and said by name, everything else is kept, and nothing comes back.
#include "store/upkeep.hpp"
#include "store/journal.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr std::uint64_t k_limit = 16 * k_mib;
constexpr std::size_t k_large = 2 * k_mib;  // gets a file of its own

using Names = std::vector<std::string>;

void expect_sound(const Directory& directory) {
  EXPECT_EQ(verify(directory.path()).value().damaged.size(), 0u);
  EXPECT_EQ(check(directory.path()).value(), Names{});
  EXPECT_TRUE(repair(directory.path()).value().sound()) << "there is nothing left to do";
}

TEST(Repair, LeavesASoundStoreAsItIs) {
  const Directory directory;
  Process process(directory, k_limit);
  for (int i = 0; i < 100; ++i) process.put(Key{"k", i % 50}, noise(30'000, 1));
  process.store->remove(Key{"k", 7});
  const Usage before = process.store->usage();
  EXPECT_TRUE(repair(directory.path()).value().sound());
  EXPECT_EQ(process.store->usage().bytes, before.bytes);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(process.get(Key{"k", i}).has_value(), i != 7);
}

TEST(Repair, DamagedValuesAreNamedAndGoneForGoodAndTheOthersAreKept) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"whole"}, noise(100'000, 1));
  const std::uint64_t offset = std::filesystem::file_size(segment_files(directory)[0]);
  process.put(Key{"damaged"}, noise(100'000, 2));
  flip(segment_files(directory)[0], offset + 50'000);
  const Repaired repaired = repair(directory.path()).value();
  EXPECT_EQ(repaired.lost, Names{"damaged"});
  EXPECT_EQ(repaired.left, Names{});
  EXPECT_FALSE(repaired.sound());
  EXPECT_EQ(process.get(Key{"damaged"}), std::nullopt);
  EXPECT_TRUE(process.get(Key{"whole"}) == noise(100'000, 1));
  expect_sound(directory);

  flip(segment_files(directory)[0], offset + 50'000);  // the disk thinks better of it
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"damaged"}), std::nullopt) << "what was said to be lost does not come back";
  EXPECT_TRUE(process.get(Key{"whole"}) == noise(100'000, 1));
}

TEST(Repair, ASegmentInWhichNothingIsLeftIsFreed) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"small"}, "s");
  const std::uint64_t before = process.store->usage().bytes;
  process.put(Key{"large"}, noise(k_large, 1));
  flip(segment_files(directory)[1], k_large / 2);
  const Repaired repaired = repair(directory.path()).value();
  EXPECT_EQ(repaired.lost, Names{"large"});
  EXPECT_EQ(repaired.segments_freed, 1u);
  EXPECT_GE(repaired.bytes_freed, k_large);
  process.store->maintain();
  expect_sound(directory);
  EXPECT_EQ(process.store->usage().bytes, before);
  EXPECT_EQ(segment_files(directory).size(), 1u);
  EXPECT_EQ(process.get(Key{"small"}), "s");
}

TEST(Repair, EntriesOfASegmentThatIsGoneOrCannotBeReadAreCleared) {
  for (const bool gone : {true, false}) {
    const Directory directory;
    Process process(directory, k_limit);
    process.put(Key{"small"}, "s");
    process.put(Key{"large"}, noise(k_large, 1));
    process.store.reset();
    const std::filesystem::path file = segment_files(directory)[1];
    gone ? static_cast<void>(std::filesystem::remove(file)) : std::filesystem::resize_file(file, 100);
    const Repaired repaired = repair(directory.path()).value();
    EXPECT_EQ(repaired.lost_unnamed, 1u);
    EXPECT_EQ(repaired.segments_freed, 1u);
    expect_sound(directory);
    process.open();
    EXPECT_EQ(process.get(Key{"small"}), "s");
  }
}

TEST(Repair, SlotsThatLeadNowhereOrAstrayAreCleared) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"k"}, "v");
  {
    const IndexOf slots(directory);
    const Digest other{~Key{"k"}.fingerprint().low, ~Key{"k"}.fingerprint().high};
    const Buckets buckets = slots.buckets(other);
    const auto both = buckets.newest();
    both[0][7].store(pack_slot(other, {900, 64}));                                    // no such segment
    both[1][7].store(pack_slot(Key{"k"}.fingerprint(), {0, sizeof(SegmentHeader)}));  // not where it is looked for
  }
  EXPECT_EQ(check(directory.path()).value().size(), 2u);
  EXPECT_EQ(repair(directory.path()).value().astray, 2u);
  EXPECT_EQ(process.get(Key{"k"}), "v");
  expect_sound(directory);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), "v") << "the slot that led astray led to its record";
}

// A removal that comes after the damage has nothing to note.
TEST(Repair, AKeyWhoseSlotWasLostAndThatWasRemovedSinceDoesNotComeBackWithARestart) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"removed"}, "v");
  process.put(Key{"kept"}, "v");
  IndexOf(directory).forget(Key{"removed"}.fingerprint(), {0, sizeof(SegmentHeader)});
  process.store->remove(Key{"removed"});
  EXPECT_EQ(repair(directory.path()).value().unreachable, 1u);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"kept"}), "v");
}

TEST(Repair, ADamagedJournalIsMadeAnewAndNothingIsLostAndNothingComesBack) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"overwritten"}, "older");
  process.put(Key{"overwritten"}, "newer");
  process.put(Key{"removed"}, "v");
  process.store->remove(Key{"removed"});
  process.put(Key{"kept"}, "v");
  flip(directory.files().journal(1), k_page_bytes + 3);
  flip(directory.files().journal(1), k_page_bytes + sizeof(JournalEntry) + 3);
  const Repaired repaired = repair(directory.path()).value();
  EXPECT_TRUE(repaired.journal_renewed);
  EXPECT_EQ(repaired.left, Names{});
  expect_sound(directory);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"kept"}), "v");
  EXPECT_EQ(process.get(Key{"overwritten"}), "newer");
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
}

TEST(Repair, OfAJournalKeepsHiddenWhatIsInASegmentThatIsGivenUpButStillHeld) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"removed"}, "old");
  process.put(Key{"held"}, noise(100'000, 1));
  const KeptSegment segment(directory);
  const Lookup held = process.store->get(Key{"held"});
  for (int i = 0; process.get(Key{"removed"}); ++i) process.put(Key{"k", i}, noise(200'000, 1));
  EXPECT_FALSE(process.store->remove(Key{"removed"})) << "so the journal says nothing of it";
  const std::uint64_t used = Control::open(directory.files()).value().page().journal_used;
  for (std::uint64_t i = 0; i < used; ++i) {
    flip(directory.files().journal(1), k_page_bytes + i * sizeof(JournalEntry) + 3);
  }
  EXPECT_TRUE(repair(directory.path()).value().journal_renewed);
  process.store.reset();
  segment.bring_back_alone();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
}

TEST(Repair, FilesThatBelongToNothingAreDeletedAndWhatIsNotLardersIsLeft) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"k"}, "v");
  const std::filesystem::path segments = directory.files().segments();
  for (const char* name : {"00000000000000ff.seg", ".larder-new-7", "notes.txt"}) std::ofstream(segments / name) << "x";
  const Repaired repaired = repair(directory.path()).value();
  EXPECT_EQ(repaired.deleted.size(), 2u);
  ASSERT_EQ(repaired.left.size(), 1u);
  EXPECT_NE(repaired.left[0].find("notes.txt"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(segments / "notes.txt"));
  EXPECT_EQ(segment_files(directory).size(), 2u);
  EXPECT_EQ(process.get(Key{"k"}), "v");
}

TEST(Repair, ATableThatContradictsItselfIsMadeAnewByWhoIsAlone) {
  const Directory directory;
  Process process(directory, k_limit);
  process.put(Key{"k"}, "v");
  {
    const Control control = Control::open(directory.files()).value();
    control.segment(5).state = static_cast<SegmentState>(9);
  }
  const Repaired beside = repair(directory.path()).value();
  EXPECT_FALSE(beside.rebuilt);
  ASSERT_EQ(beside.left.size(), 1u);
  EXPECT_NE(beside.left[0].find("segment slot 5 has an unknown state"), std::string::npos) << beside.left[0];
  process.store.reset();
  const Repaired alone = repair(directory.path()).value();
  EXPECT_TRUE(alone.rebuilt);
  EXPECT_EQ(alone.left, Names{});
  expect_sound(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), "v");
}

TEST(Repair, AStoreWithoutAWholeControlFileIsBegunAnewAsByEverybodyWhoOpensIt) {
  const Directory directory;
  { Process(directory, k_limit).put(Key{"k"}, "v"); }
  flip(directory.files().control(), 3);
  EXPECT_TRUE(repair(directory.path()).value().begun_anew);
  expect_sound(directory);
}

TEST(Repair, BesideProcessesThatUseTheStoreTakesNothingFromThem) {
  const Directory directory;
  Process process(directory, 64 * k_mib);
  for (int i = 0; i < 200; ++i) process.put(Key{"there", i}, noise(20'000, 1));
  const pid_t child = ::fork();
  if (child == 0) {
    Process busy(directory, 64 * k_mib);
    for (std::int64_t i = 0;; ++i) {
      const Key key{"busy", i % 100};
      busy.put(key, noise(static_cast<std::size_t>(i % 5000), static_cast<std::uint64_t>(i)));
      ::usleep(100);  // so that nothing is reclaimed while this lasts
      if (i % 3 == 0) busy.store->remove(key);
      if (i % 5 == 0 && !busy.get(Key{"there", i % 200})) ::_exit(1);
    }
  }
  for (int i = 0; i < 20; ++i) {
    const Repaired repaired = repair(directory.path()).value();
    EXPECT_TRUE(repaired.sound()) << repaired.astray << " " << repaired.unreachable << " " << repaired.deleted.size();
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "a value was gone";
  process.store.reset();
  reboot(directory);
  process.open();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(process.get(Key{"there", i}) == noise(20'000, 1)) << i;
}

}  // namespace
}  // namespace larder::store
