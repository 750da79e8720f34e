// What the journal is told of a removal, so that a rebuild knows of it: as little as possible, and always enough.
#include "store/journal.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr Location k_second_segment{1, sizeof(SegmentHeader)};

std::uint64_t noted(const Directory& directory) {
  return Control::open(directory.files()).value().page().journal_used;
}

void after_restart(const Directory& directory, std::initializer_list<Process*> open) {
  for (Process* process : open) process->store.reset();
  reboot(directory);
}

TEST(Removal, OfKeysThatAreNotThereIsNotNoted) {
  const Directory directory;
  Process process(directory, 4 * k_mib);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(10'000, 1)), Put::stored);
  for (int i = 0; i < 50'000; ++i) EXPECT_FALSE(process.store->remove(Key{"absent", i}));
  EXPECT_EQ(noted(directory), 0u);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(process.get(Key{"k", i}));
  EXPECT_TRUE(process.store->remove(Key{"k", 1}));
  EXPECT_EQ(noted(directory), 1u);
  EXPECT_FALSE(process.store->remove(Key{"k", 1}));
  EXPECT_EQ(noted(directory), 1u) << "once is enough";
  process.store->clear();
  const std::uint64_t noted_by_clear = noted(directory);
  EXPECT_FALSE(process.store->remove(Key{"k", 2}));
  EXPECT_EQ(noted(directory), noted_by_clear);
}

TEST(Removal, OfARecordThatCannotBeReadAtFirstIsOneAllTheSame) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  process.reopen();
  {
    Twin twin;
    int maps = 0;
    twin.refuse = [&](os::Call call, const std::string&) { return call == os::Call::map && maps++ == 0 ? ENOMEM : 0; };
    process.store->remove(Key{"k"});
    ASSERT_GT(maps, 0);
  }
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
  after_restart(directory, {&process});
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
}

TEST(Removal, OfAKeyThatWasEvictedFromTheIndexHoldsAfterARestart) {
  const Directory directory;
  Process first(directory);
  Process second(directory);
  const Key key{"k"};
  ASSERT_EQ(first.put(key, "old"), Put::stored);
  ASSERT_EQ(second.put(Key{"bystander"}, "x"), Put::stored);
  fill_buckets(directory, key, k_second_segment);
  ASSERT_EQ(second.put(neighbor_of(directory, key), "x"), Put::stored);
  ASSERT_EQ(second.counted(Counter::index_evicted), 1u);
  EXPECT_FALSE(second.store->remove(key));
  after_restart(directory, {&first, &second});
  first.open();
  EXPECT_EQ(first.get(key), std::nullopt);
}

TEST(Removal, OfARecordThatNoSlotLedToYetWhenItsWriterWasKilledHoldsAfterARestart) {
  for (const char* point : {"store.append.written", "store.append.committed", "store.publish.pending"}) {
    for (const bool segment_goes_on : {false, true}) {
      SCOPED_TRACE(point);
      SCOPED_TRACE(segment_goes_on);
      const Directory directory;
      Process process(directory);
      const Key key{"k"};
      die_at(point, directory, [&](Process& dying) { dying.put(key, "lost"); });
      if (segment_goes_on) process.put(Key{"bystander"}, "x");
      EXPECT_FALSE(process.store->remove(key));
      after_restart(directory, {&process});
      process.open();
      EXPECT_EQ(process.get(key), std::nullopt);
    }
  }
}

TEST(Removal, OfALargeRecordThatNoSlotLedToYetWhenItsWriterWasKilledHoldsAfterARestart) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  die_at("store.append.committed", directory, [&](Process& dying) { dying.put(key, noise(5 * k_mib, 1)); });
  EXPECT_FALSE(process.store->remove(key));
  after_restart(directory, {&process});
  process.open();
  EXPECT_EQ(process.get(key), std::nullopt);
}

TEST(Removal, BesideAWriterThatIsKilledLaterHoldsAfterARestart) {
  for (const char* point : {"store.append.before_write", "store.append.written", "store.append.committed"}) {
    SCOPED_TRACE(point);
    const Directory directory;
    Process process(directory);
    const Key key{"k"};
    const auto put_beside_a_removal = [&](Process& writer) {
      Process remover(directory);
      Twin twin;
      bool removed = false;
      twin.at = [&](std::string_view reached) {
        if (reached == point && !removed) {
          removed = true;
          remover.store->remove(key);
        }
        if (reached == "store.publish.pending") ::raise(SIGKILL);
      };
      writer.put(key, "late");
    };
    die_at("store.publish.pending", directory, put_beside_a_removal);
    after_restart(directory, {&process});
    process.open();
    EXPECT_EQ(process.get(key), std::nullopt);
  }
}

TEST(Removal, OfWhatARebuildFoundNoSlotForHoldsAfterTheNextOne) {
  const Directory directory;
  Process process(directory);
  process.store.reset();
  process.options.durability = Durability::relaxed;  // twelve thousand syncs would take their time
  process.open();
  constexpr int k_keys = 12'000;  // the index has 8192 slots
  for (int i = 0; i < k_keys; ++i) ASSERT_EQ(process.put(Key{"k", i}, "x"), Put::stored);
  after_restart(directory, {&process});
  process.open();
  for (int i = 0; i < k_keys; ++i) process.store->remove(Key{"k", i});
  after_restart(directory, {&process});
  process.open();
  for (int i = 0; i < k_keys; ++i) EXPECT_EQ(process.get(Key{"k", i}), std::nullopt) << i;
}

TEST(Removal, OfWhatAKilledClearForgotHoldsAfterARestart) {
  const Directory directory;
  Process process(directory);
  const Key removed{"removed"};
  const Key overwritten{"overwritten"};
  ASSERT_EQ(process.put(removed, "old"), Put::stored);
  ASSERT_EQ(process.put(overwritten, "old"), Put::stored);
  die_at("store.clear.forgotten", directory, [&](Process& dying) { dying.store->clear(); });
  EXPECT_FALSE(process.store->remove(removed));
  ASSERT_EQ(process.put(overwritten, "new"), Put::stored);
  after_restart(directory, {&process});
  for (const std::filesystem::path& segment : segment_files(directory)) {
    // The power takes what was written last.
    std::filesystem::resize_file(segment, sizeof(SegmentHeader) + 2 * 192);
  }
  process.open();
  EXPECT_EQ(process.get(removed), std::nullopt);
  EXPECT_EQ(process.get(overwritten), std::nullopt);
}

TEST(Removal, KilledAnywhereItCanBeDoneAgain) {
  for (const char* point :
       {"store.remove.stamped", "store.remove.written", "store.remove.hidden", "store.remove.stamped_again"}) {
    SCOPED_TRACE(point);
    const Directory directory;
    Process process(directory);
    const Key key{"k"};
    ASSERT_EQ(process.put(key, "old"), Put::stored);
    die_at(point, directory, [&](Process& dying) { dying.store->remove(key); });
    process.store->remove(key);
    EXPECT_EQ(process.get(key), std::nullopt);
    after_restart(directory, {&process});
    process.open();
    EXPECT_EQ(process.get(key), std::nullopt);
  }
}

class DiskFull {
 public:
  DiskFull() {
    twin_.refuse = [](os::Call call, const std::string&) { return call == os::Call::write ? ENOSPC : 0; };
  }

 private:
  Twin twin_;
};

TEST(Removal, ARefusedPutOfANewKeyCostsNothingAtTheNextRestart) {
  const Directory directory;
  Process process(directory);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(1000, 1)), Put::stored);
  {
    const DiskFull full;
    for (int i = 0; i < 10; ++i) EXPECT_EQ(process.put(Key{"new", i}, "x"), Put::fault);
  }
  after_restart(directory, {&process});
  process.open();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(process.get(Key{"k", i})) << i;
}

TEST(Removal, ThatFindsNoRoomCostsWhatIsOlderAtTheNextRestartAndNothingThatIsNewer) {
  const Directory directory;
  Process process(directory);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(1000, 1)), Put::stored);
  {
    const DiskFull full;
    EXPECT_EQ(process.put(Key{"k", 40}, "newer"), Put::fault);
    EXPECT_TRUE(process.store->remove(Key{"k", 20}));
  }
  EXPECT_EQ(process.get(Key{"k", 40}), std::nullopt);
  EXPECT_TRUE(process.get(Key{"k", 39})) << "until then nothing else is lost";
  after_restart(directory, {&process});
  process.open();
  for (int i = 0; i <= 40; ++i) EXPECT_EQ(process.get(Key{"k", i}), std::nullopt) << i;
  for (int i = 41; i < 100; ++i) EXPECT_TRUE(process.get(Key{"k", i})) << i;
}

TEST(Removal, WhatCannotBeReadAndIsClearedForAnotherKeyIsNoted) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(Key{"bystander"}, "x"), Put::stored);
  // A slot that might be the key's, or another one's of the same bucket and tag.
  const IndexOf slots(directory);
  slots.find_empty(key.fingerprint())->store(pack_slot(key.fingerprint(), {0, 128}));
  ASSERT_EQ(process.put(key, "new"), Put::stored);
  const Control control = Control::open(directory.files()).value();
  const Journal::Contents journal = Journal::read(directory.files(), control, 1, noted(directory)).value();
  EXPECT_TRUE(std::ranges::any_of(journal.entries, [&](const JournalEntry& entry) {
    return entry.kind == JournalKind::record && entry.subject == control.segment(0).id && entry.until == 128;
  }));
}

}  // namespace
}  // namespace larder::store
