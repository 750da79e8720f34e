// What was hidden stays hidden: the power takes whatever was not synced, or a disk damages the journal, and no older
// value comes back. And it costs no more than that: what hides nothing is not waited for.
#include "store/journal.hpp"

#include <algorithm>
#include <thread>

#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr std::int64_t k_past = 1;

const ControlPage& page_of(const Control& control) {
  return control.page();
}

// Counts what is synced while it lives.
class Syncs {
 public:
  Syncs() {
    twin_.refuse = [this](os::Call call, const std::string&) {
      count_ += call == os::Call::sync ? 1 : 0;
      return 0;
    };
  }
  [[nodiscard]] int count() const { return count_; }

 private:
  int count_ = 0;
  Twin twin_;
};

std::filesystem::path journal_of(const Directory& directory) {
  const Control control = Control::open(directory.files()).value();
  return directory.files().journal(control.page().journal_number);
}

void relax(Process& process) {
  process.store.reset();
  process.options.durability = Durability::relaxed;
  process.open();
}

Put put_tagged(Process& process, const Key& key, std::string_view value, TagId tag) {
  const Bytes bytes = std::as_bytes(std::span(value));
  const Meta meta{"text", 5, 7, k_no_expiry, {process.store->tags().moment(), {tag}}};
  return process.store->put(key, meta, std::span(&bytes, 1), process.store->stamp(key));
}

TEST(Journal, WhatHidesAFreshValueIsSyncedBeforeTheCallReturnsAndNothingElse) {
  const Directory directory;
  Process process(directory);
  const Control control = Control::open(directory.files()).value();
  const auto synced_by = [&](const auto& act) {
    const Syncs syncs;
    act();
    const bool all = page_of(control).journal_synced == page_of(control).journal_count;
    return syncs.count() > 0 && all;
  };
  const auto put = [&](const Key& key, std::int64_t expires_ms = k_no_expiry) {
    return [&process, key, expires_ms] {
      ASSERT_EQ(process.put(key, "v", expires_ms), Put::stored);
      process.store->sync();
    };
  };
  EXPECT_FALSE(synced_by(put(Key{"k"}))) << "a new key";
  EXPECT_TRUE(synced_by(put(Key{"k"}))) << "an overwrite";
  EXPECT_TRUE(synced_by([&] { process.store->remove(Key{"k"}); }));
  EXPECT_FALSE(synced_by([&] { process.store->remove(Key{"k"}); })) << "nothing was there";
  EXPECT_FALSE(synced_by(put(Key{"k"}))) << "new again";
  EXPECT_TRUE(synced_by([&] { process.store->invalidate(1); }));
  EXPECT_TRUE(synced_by([&] { process.store->clear(); }));
  put(Key{"expires"}, k_past)();
  EXPECT_FALSE(synced_by(put(Key{"expires"}))) << "over an expired one";
  ASSERT_EQ(put_tagged(process, Key{"tagged"}, "v", 2), Put::stored);
  process.store->invalidate(2);
  EXPECT_FALSE(synced_by(put(Key{"tagged"}))) << "over an invalidated one";
}

// Who changes a key finds only what is out of date, and does no harm; but whoever put that over a fresh value has not
// synced what hides the fresh one.
TEST(Journal, WhatHidesAFreshValueIsSyncedBeforeTheCallReturnsThatFindsOnlyAnExpiredOne) {
  for (const bool put : {true, false}) {
    SCOPED_TRACE(put);
    const Directory directory;
    Process first(directory);
    Process second(directory);
    const Control control = Control::open(directory.files()).value();
    ASSERT_EQ(first.put(Key{"k"}, "fresh"), Put::stored);
    ASSERT_EQ(first.put(Key{"k"}, "expired", k_past), Put::stored);
    const std::uint64_t hidden = page_of(control).journal_count;
    ASSERT_LT(page_of(control).journal_synced, hidden) << "the first one has not returned";
    if (put) {
      ASSERT_EQ(second.put(Key{"k"}, "new"), Put::stored);
      second.store->sync();
    } else {
      second.store->remove(Key{"k"});
    }
    EXPECT_GE(page_of(control).journal_synced, hidden);
  }
}

// Who changes a key finds nothing where another one was killed before he synced what hides its record.
TEST(Journal, WhatHidARecordIsSyncedByWhoChangesItsKeyNextIfWhoHidItDied) {
  constexpr TagId k_tag = 7;
  const auto remove = [](Process& dying) { dying.store->remove(Key{"k"}); };
  const auto clear = [](Process& dying) { dying.store->clear(); };
  const auto invalidate = [](Process& dying) { dying.store->invalidate(k_tag); };
  const auto withdraw = [](Process& dying) {
    Twin twin;
    twin.at = [&](std::string_view point) {
      if (point == "store.publish.pending") dying.store->touch(Key{"k"});
    };
    ASSERT_EQ(dying.put(Key{"k"}, "withdrawn"), Put::superseded);
    ::raise(SIGKILL);
  };
  const std::vector<std::pair<const char*, std::function<void(Process&)>>> deaths = {
      {"store.remove.done", remove},
      {"store.clear.forgotten", clear},
      {"store.clear.cleared", clear},
      {"store.invalidate.stamped", invalidate},
      {"store.invalidate.written", invalidate},
      {"", withdraw}};
  for (const auto& [point, die] : deaths) {
    for (const bool put : {true, false}) {
      SCOPED_TRACE(point);
      SCOPED_TRACE(put);
      const Directory directory;
      Process process(directory);
      ASSERT_EQ(put_tagged(process, Key{"k"}, "old", k_tag), Put::stored);
      fill_buckets(directory, Key{"k"}, {0, 64});  // so who puts something over it takes its slot
      process.store.reset();
      die_at(point, directory, die);
      process.open();
      const Control control = Control::open(directory.files()).value();
      const Syncs syncs;
      if (put) {
        ASSERT_EQ(process.put(Key{"k"}, "new"), Put::stored);
        process.store->sync();
      } else {
        process.store->remove(Key{"k"});
      }
      EXPECT_GT(syncs.count(), 0);
      EXPECT_EQ(page_of(control).journal_synced, page_of(control).journal_count);
    }
  }
}

TEST(Journal, WhatAKilledWriterCommittedWithoutASlotIsHiddenByWhatIsPutOverIt) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"other"}, "v"), Put::stored) << "so it has a segment of its own to append to";
  die_at("store.append.committed", directory, [](Process& dying) { dying.put(Key{"k"}, "older"); });
  const Syncs syncs;
  ASSERT_EQ(process.put(Key{"k"}, "newer"), Put::stored);
  process.store->sync();
  EXPECT_GT(syncs.count(), 0);
  process.store.reset();
  // As if the power had taken the newer record.
  std::filesystem::remove(segment_files(directory).front());
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
}

TEST(Journal, RelaxedDurabilityWaitsForNothing) {
  const Directory directory;
  Process process(directory);
  relax(process);
  const Syncs syncs;
  ASSERT_EQ(process.put(Key{"k"}, "old"), Put::stored);
  ASSERT_EQ(process.put(Key{"k"}, "new"), Put::stored);
  process.store->sync();
  process.store->invalidate(1);
  process.store->remove(Key{"k"});
  process.store->clear();
  EXPECT_EQ(syncs.count(), 0);
}

TEST(Journal, ThreadsShareASync) {
  const Directory directory;
  Process process(directory);
  constexpr int k_threads = 8;
  constexpr int k_keys = 20;
  for (int i = 0; i < k_threads * k_keys; ++i) ASSERT_EQ(process.put(Key{"k", i}, "v"), Put::stored);
  std::atomic<int> late{0};
  {
    const Control control = Control::open(directory.files()).value();
    std::vector<std::jthread> threads;
    for (int t = 0; t < k_threads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < k_keys; ++i) {
          const std::uint64_t before = page_of(control).journal_count;
          process.store->remove(Key{"k", t * k_keys + i});
          late += page_of(control).journal_synced > before ? 0 : 1;
        }
      });
    }
  }
  EXPECT_EQ(late, 0) << "a removal returned before its own entry was synced";
}

TEST(Journal, AnInvalidationHoldsIfThePowerTakesTheGenerations) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(put_tagged(process, Key{"k"}, "v", 7), Put::stored);
  ASSERT_EQ(put_tagged(process, Key{"other"}, "v", 8), Put::stored);
  const std::filesystem::path before = directory.path() / "gen.before";
  std::filesystem::copy_file(directory.files().gen(), before);
  process.store->invalidate(7);
  process.store.reset();
  for (int restarts = 0; restarts < 2; ++restarts) {
    if (restarts == 0) std::filesystem::rename(before, directory.files().gen());
    reboot(directory);
    process.open();
    EXPECT_EQ(process.get(Key{"k"}), std::nullopt) << restarts;
    EXPECT_EQ(process.get(Key{"other"}), "v") << restarts;
    process.store.reset();
  }
}

TEST(Journal, AClearHoldsIfThePowerBringsTheSegmentsBack) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  const KeptSegment segment(directory);
  process.store->clear();
  ASSERT_EQ(process.put(Key{"after"}, "v"), Put::stored);
  process.store.reset();
  segment.bring_back();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"after"}), "v");
}

TEST(Journal, WhatWasPutOverAReclaimedRecordHoldsIfThePowerBringsItsSegmentBack) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  ASSERT_EQ(process.put(Key{"put over"}, "old"), Put::stored);
  ASSERT_EQ(process.put(Key{"removed"}, "old"), Put::stored);
  const KeptSegment segment(directory);
  for (int i = 0; process.get(Key{"put over"}); ++i) {
    ASSERT_EQ(process.put(Key{"k", i}, noise(200'000, 1)), Put::stored);
  }
  ASSERT_EQ(process.put(Key{"put over"}, "new"), Put::stored);
  process.store->sync();
  EXPECT_FALSE(process.store->remove(Key{"removed"}));
  EXPECT_EQ(page_of(Control::open(directory.files()).value()).journal_synced,
            page_of(Control::open(directory.files()).value()).journal_count);
  process.store.reset();
  segment.bring_back_alone();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"put over"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
}

TEST(Journal, AnOverwriteAndARemovalHoldIfThePowerTakesAllThatWasWrittenSince) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"overwritten"}, "old"), Put::stored);
  ASSERT_EQ(process.put(Key{"removed"}, "old"), Put::stored);
  const std::filesystem::path segment = segment_files(directory).front();
  const std::uintmax_t size = std::filesystem::file_size(segment);
  const std::filesystem::path before = directory.path() / "control.before";
  std::filesystem::copy_file(directory.files().control(), before);
  ASSERT_EQ(process.put(Key{"overwritten"}, "new"), Put::stored);
  ASSERT_TRUE(process.store->remove(Key{"removed"}));
  process.store.reset();
  std::filesystem::resize_file(segment, size);
  std::filesystem::rename(before, directory.files().control());
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"overwritten"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
  ASSERT_EQ(process.put(Key{"removed"}, "newest"), Put::stored) << "with a number above the removal's";
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"removed"}), "newest");
}

TEST(Journal, ARemovalHoldsIfThePowerBringsBackWhatAKilledWriterHadNotCommitted) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "old"), Put::stored);
  die_at("store.append.written", directory, [](Process& dying) { dying.put(Key{"k"}, "new"); });
  // What is on disk of the segment that was written to: the system may have written it out by itself.
  const std::filesystem::path segment = segment_files(directory).back();
  const std::filesystem::path on_disk = directory.path() / "on disk";
  const auto write_out = [&] {
    std::filesystem::copy_file(segment, on_disk, std::filesystem::copy_options::overwrite_existing);
  };
  write_out();
  {
    Twin twin;
    twin.refuse = [&](os::Call call, const std::string& path) {
      if (call == os::Call::sync && path == segment) write_out();
      return 0;
    };
    Process next(directory);
    ASSERT_EQ(next.put(Key{"in its place"}, "v"), Put::stored);
    ASSERT_EQ(segment_files(directory).back(), segment);
    EXPECT_TRUE(process.store->remove(Key{"k"}));
  }
  process.store.reset();
  std::filesystem::rename(on_disk, segment);
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
}

TEST(Journal, DamagedOrGoneNothingIsBelievedAfterARestartAndNothingIsLostBefore) {
  for (const bool gone : {false, true}) {
    for (const bool noticed : {false, true}) {
      SCOPED_TRACE(gone);
      SCOPED_TRACE(noticed);
      const Directory directory;
      Process process(directory);
      ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
      ASSERT_EQ(process.put(Key{"removed"}, "v"), Put::stored);
      process.store->remove(Key{"removed"});
      process.store.reset();
      if (gone) {
        std::filesystem::remove(journal_of(directory));
      } else {
        flip(journal_of(directory), noticed ? 3 : k_page_bytes + 3);
      }
      if (noticed) {
        process.open();
        EXPECT_EQ(process.get(Key{"k"}), "v");
        EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
        EXPECT_EQ(process.counted(Counter::fault_damaged_file), 1u);
        ASSERT_EQ(process.put(Key{"later"}, "v"), Put::stored);
        process.store.reset();
      }
      reboot(directory);
      process.open();
      EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
      EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
      EXPECT_EQ(process.get(Key{"later"}), noticed ? std::optional<std::string>("v") : std::nullopt);
    }
  }
}

TEST(Journal, ThatIsDamagedIsFoundByAnInspection) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  process.store->remove(Key{"k"});
  EXPECT_TRUE(verify(directory.path(), {}).value().damaged.empty());
  flip(journal_of(directory), k_page_bytes + 3);
  const Verified verified = verify(directory.path(), {}).value();
  ASSERT_EQ(verified.damaged.size(), 1u);
  EXPECT_EQ(verified.damaged[0].file, journal_of(directory).string());
}

TEST(Journal, OverwritesForEverFillNothing) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  relax(process);
  const Control control = Control::open(directory.files()).value();
  const std::uint64_t room = control.geometry().journal_entries();
  ASSERT_EQ(process.put(Key{"removed"}, "v"), Put::stored);
  ASSERT_EQ(process.put(Key{"stays"}, "v"), Put::stored);
  process.store->remove(Key{"removed"});
  for (std::uint64_t i = 0; i < 3 * room; ++i) {
    ASSERT_EQ(process.put(Key{"k"}, std::to_string(i)), Put::stored);
    ASSERT_LE(page_of(control).journal_used, room);
  }
  EXPECT_GT(page_of(control).journal_number, 1u);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::to_string(3 * room - 1));
  EXPECT_EQ(process.get(Key{"stays"}), "v");
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
}

TEST(Journal, MaintenanceDropsWhatHidesNothingAnyMore) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  relax(process);
  const Control control = Control::open(directory.files()).value();
  const std::uint64_t room = control.geometry().journal_entries();
  for (TagId tag = 1; tag <= room / 2 + 1; ++tag) process.store->invalidate(tag);
  ASSERT_EQ(put_tagged(process, Key{"k"}, "v", 1), Put::stored);
  process.store->maintain();
  EXPECT_EQ(page_of(control).journal_used, 0u) << "generations are synced in their own table";
  EXPECT_EQ(process.get(Key{"k"}), "v");
}

TEST(Journal, MaintenanceKeepsWhatHidesASegmentThatIsGivenUpButStillHeld) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  relax(process);
  const Control control = Control::open(directory.files()).value();
  ASSERT_EQ(process.put(Key{"removed"}, "old"), Put::stored);
  ASSERT_EQ(process.put(Key{"held"}, noise(100'000, 1)), Put::stored);
  const KeptSegment segment(directory);
  const Lookup held = process.store->get(Key{"held"});
  for (int i = 0; process.get(Key{"removed"}); ++i) {
    ASSERT_EQ(process.put(Key{"k", i}, noise(200'000, 1)), Put::stored);
  }
  EXPECT_FALSE(process.store->remove(Key{"removed"})) << "so the journal says nothing of it";
  const std::uint64_t number = page_of(control).journal_number;
  const std::uint64_t room = control.geometry().journal_entries();
  for (TagId tag = 1; tag <= room / 2 + 1; ++tag) process.store->invalidate(tag);
  process.store->maintain();
  EXPECT_GT(page_of(control).journal_number, number) << "it was replaced, although the segment waits";
  EXPECT_LT(page_of(control).journal_used, room / 4);
  EXPECT_TRUE(std::filesystem::exists(segment.file())) << "somebody holds it";
  process.store.reset();
  segment.bring_back_alone();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"held"}), std::nullopt);
}

TEST(Journal, MoreThanItCanHoldCostsWhatIsOldestAtTheNextRestart) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  relax(process);
  const Control control = Control::open(directory.files()).value();
  const auto keys = static_cast<int>(control.geometry().journal_entries() + 10);
  for (int i = 0; i < keys; ++i) ASSERT_EQ(process.put(Key{"k", i}, "v"), Put::stored);
  ASSERT_EQ(process.put(Key{"stays"}, "v"), Put::stored);
  for (int i = 0; i < keys; ++i) ASSERT_TRUE(process.store->remove(Key{"k", i}));
  EXPECT_EQ(process.get(Key{"stays"}), "v");
  process.store.reset();
  reboot(directory);
  process.open();
  for (int i = 0; i < keys; ++i) EXPECT_EQ(process.get(Key{"k", i}), std::nullopt) << i;
  EXPECT_EQ(process.get(Key{"stays"}), "v") << "is newer than all that was removed";
}

TEST(Journal, KilledWhileItIsReplacedNothingIsForgotten) {
  for (const char* point : {"store.journal.made", "store.journal.replaced"}) {
    for (const bool restart : {false, true}) {
      SCOPED_TRACE(point);
      SCOPED_TRACE(restart);
      const Directory directory;
      Process process(directory);
      ASSERT_EQ(process.put(Key{"removed"}, "v"), Put::stored);
      ASSERT_EQ(process.put(Key{"stays"}, "v"), Put::stored);
      process.store->remove(Key{"removed"});
      process.store.reset();
      die_at(point, directory, [&](Process& dying) {
        relax(dying);
        for (TagId tag = 1; true; ++tag) {
          dying.store->invalidate(tag);
          if (tag % 100 == 0) dying.store->maintain();
        }
      });
      if (restart) reboot(directory);
      process.open();
      EXPECT_EQ(process.get(Key{"stays"}), "v");
      ASSERT_EQ(process.put(Key{"later"}, "v"), Put::stored);
      process.store->remove(Key{"later"});
      process.store.reset();
      reboot(directory);
      process.open();
      EXPECT_EQ(process.get(Key{"removed"}), std::nullopt);
      EXPECT_EQ(process.get(Key{"later"}), std::nullopt);
      EXPECT_EQ(process.get(Key{"stays"}), "v");
    }
  }
}

TEST(Journal, IsFoundByWhoOpensTheStoreWhileItIsReplaced) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  relax(process);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  const Control control = Control::open(directory.files()).value();
  for (TagId tag = 0; tag <= control.geometry().journal_entries() / 2; ++tag) process.store->invalidate(tag);
  const std::string old = journal_of(directory).string();
  Twin twin;
  bool replaced = false;
  twin.refuse = [&](os::Call call, const std::string& path) {
    if (call == os::Call::open && path == old && !std::exchange(replaced, true)) process.store->maintain();
    return 0;
  };
  Process other(directory, 16 * k_mib);
  EXPECT_TRUE(replaced);
  EXPECT_NE(journal_of(directory).string(), old);
  EXPECT_EQ(other.get(Key{"k"}), "v");
  EXPECT_EQ(process.get(Key{"k"}), "v");
}

TEST(Journal, WhatItCannotSyncIsCounted) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  {
    Twin twin;
    twin.refuse = [](os::Call call, const std::string&) { return call == os::Call::sync ? EIO : 0; };
    EXPECT_TRUE(process.store->remove(Key{"k"}));
  }
  EXPECT_EQ(process.counted(Counter::fault_io), 1u);
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
}

}  // namespace
}  // namespace larder::store
