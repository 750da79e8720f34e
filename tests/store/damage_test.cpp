// What the world does to a store: refusals of the system, bytes that changed, files that went. Never a wrong
// value; a counter and one event say what happened.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

TEST(StoreDamage, AFlippedByteOfAValueIsAMissAndToldOnce) {
  const Directory directory;
  Process process(directory, std::nullopt, Verification::always);
  const std::string small = noise(1000, 1);
  const std::string large = noise(300'000, 2);
  ASSERT_EQ(process.put(Key{"small"}, small), Put::stored);
  ASSERT_EQ(process.put(Key{"large"}, large), Put::stored);
  const std::uint64_t end = std::filesystem::file_size(segment_files(directory).front());
  flip(segment_files(directory).front(), end - 1000);
  flip(segment_files(directory).front(), 64 + 256);
  const Verified verified = verify(directory.path()).value();
  EXPECT_EQ(verified.damaged.size(), 2u);
  EXPECT_NE(verified.damaged.front().key.find("small"), std::string::npos);
  EXPECT_EQ(verified.records, 2u);
  EXPECT_EQ(verified.damaged_records, 2u);
  EXPECT_EQ(process.store->get(Key{"large"}).miss, Miss::damaged);
  EXPECT_EQ(process.store->get(Key{"small"}).miss, Miss::damaged);
  EXPECT_EQ(process.store->get(Key{"small"}).miss, Miss::absent) << "its slot is gone";
  EXPECT_EQ(process.counted(Counter::fault_damaged_record), 2u);
  EXPECT_EQ(process.events.size(), 1u);
  const Verified after = verify(directory.path()).value();
  EXPECT_EQ(after.damaged.size(), 0u);
  EXPECT_EQ(after.harmless, 2u) << "nothing leads there any more";
}

TEST(StoreDamage, AViewIsVerifiedOnceABootUnlessMoreIsAskedFor) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"view"}, noise(100'000, 1)), Put::stored);
  process.store.reset();
  reboot(directory);
  flip(segment_files(directory).front(), 50'000);
  for (const Verification verification : {Verification::boot, Verification::process, Verification::always}) {
    Process after(directory, std::nullopt, verification);
    EXPECT_FALSE(after.store->get(Key{"view"}).found);
    after.store.reset();
    reboot(directory);
  }
}

// What was written, or verified, since the machine started counts as whole; until somebody looks.
TEST(StoreDamage, AVerifiedValueThatIsDamagedLaterIsAMissAfterAnInspection) {
  for (const Verification verification : {Verification::boot, Verification::process}) {
    const Directory directory;
    Process process(directory, std::nullopt, verification);
    ASSERT_EQ(process.put(Key{"view"}, noise(100'000, 1)), Put::stored);
    ASSERT_EQ(process.put(Key{"whole"}, noise(100'000, 2)), Put::stored);
    ASSERT_TRUE(process.get(Key{"view"}));
    ASSERT_TRUE(process.get(Key{"whole"}));
    const std::uint64_t stamp = process.store->stamp(Key{"view"});
    flip(segment_files(directory).front(), 50'000);
    const Verified verified = verify(directory.path()).value();
    EXPECT_EQ(verified.records, 2u);
    EXPECT_EQ(verified.damaged_records, 1u);
    EXPECT_EQ(verified.unmarked, "");
    EXPECT_NE(process.store->stamp(Key{"view"}), stamp) << "who remembers it asks again";
    EXPECT_EQ(process.store->get(Key{"view"}).miss, Miss::damaged);
    EXPECT_EQ(process.get(Key{"whole"}), noise(100'000, 2));
    ASSERT_EQ(process.put(Key{"view"}, noise(100'000, 3)), Put::stored);
    EXPECT_EQ(process.get(Key{"view"}), noise(100'000, 3));
  }
}

TEST(StoreDamage, AnInspectionLeavesWhatIsWholeVerified) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"damaged"}, noise(100'000, 1)), Put::stored);
  ASSERT_EQ(process.put(Key{"whole"}, noise(100'000, 2)), Put::stored);
  flip(segment_files(directory).front(), 50'000);
  ASSERT_EQ(verify(directory.path()).value().damaged.size(), 1u);
  std::size_t verified = 0;
  std::size_t published = 0;
  const IndexOf slots(directory);
  for (const Slot& slot : slots.all()) {
    published += slot.load() != 0 ? 1 : 0;
    verified += slot.load() & k_slot_verified;
  }
  EXPECT_EQ(published, 2u);
  EXPECT_EQ(verified, 1u);
}

TEST(StoreDamage, ValuesThatAnInspectionCouldNotReachAreCheckedAgain) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"in front"}, "v"), Put::stored);
  ASSERT_EQ(process.put(Key{"view"}, noise(100'000, 1)), Put::stored);
  ASSERT_TRUE(process.get(Key{"view"}));
  flip(segment_files(directory).front(), sizeof(SegmentHeader));
  flip(segment_files(directory).front(), 50'000);
  const Verified verified = verify(directory.path()).value();
  EXPECT_EQ(verified.damaged.size(), 1u);
  EXPECT_EQ(verified.damaged_records, 0u) << "where no record is, none can be counted";
  EXPECT_EQ(process.store->get(Key{"view"}).miss, Miss::damaged);
}

TEST(StoreDamage, AStoreThatMayOnlyBeReadIsInspectedAndSaysThatNothingWasMarked) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"view"}, noise(100'000, 1)), Put::stored);
  {
    Twin twin;
    twin.refuse = [](os::Call call, const std::string& path) {
      return call == os::Call::open && path.find("/index.") != std::string::npos ? EROFS : 0;
    };
    EXPECT_EQ(verify(directory.path()).value().unmarked, "") << "nothing is damaged";
    flip(segment_files(directory).front(), 50'000);
    const Verified verified = verify(directory.path()).value();
    EXPECT_EQ(verified.damaged_records, 1u);
    EXPECT_NE(verified.unmarked.find("/index.1: Read-only file system"), std::string::npos) << verified.unmarked;
  }
  EXPECT_EQ(verify(directory.path()).value().unmarked, "");
  EXPECT_EQ(process.store->get(Key{"view"}).miss, Miss::damaged);
}

TEST(StoreDamage, AMissingOrShortSegmentIsAMiss) {
  for (const bool removed : {true, false}) {
    const Directory directory;
    Process process(directory);
    ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
    process.store.reset();
    const std::filesystem::path file = segment_files(directory).front();
    if (removed) {
      std::filesystem::remove(file);
    } else {
      std::filesystem::resize_file(file, 100);
    }
    process.open();
    EXPECT_EQ(process.store->get(Key{"k"}).miss, Miss::damaged);
    EXPECT_EQ(process.counted(Counter::fault_damaged_file), 1u);
    EXPECT_EQ(process.put(Key{"k"}, "w"), Put::stored);
    EXPECT_EQ(process.get(Key{"k"}), "w");
  }
}

TEST(StoreDamage, ADamagedIndexNeverLeadsToAnotherKeysValue) {
  const Directory directory;
  Process process(directory);
  for (int i = 0; i < 2000; ++i) process.put(Key{"k", i}, "value " + std::to_string(i));
  process.store.reset();
  const std::filesystem::path index = directory.files().index(1);
  for (std::uint64_t at = 3; at < std::filesystem::file_size(index); at += 5)
    flip(index, at, static_cast<std::uint8_t>(at));
  process.open();
  int found = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::optional<std::string> value = process.get(Key{"k", i});
    if (!value) continue;
    EXPECT_EQ(value, "value " + std::to_string(i));
    ++found;
  }
  EXPECT_LT(found, 2000);
}

TEST(StoreDamage, ARefusedCallIsAFaultWithItsCounterAndNothingIsLost) {
  struct Case {
    os::Call call;
    int code;
    Counter counter;
  };
  for (const Case& refused :
       {Case{os::Call::write, ENOSPC, Counter::fault_no_space}, Case{os::Call::write, EIO, Counter::fault_io},
        Case{os::Call::open, EMFILE, Counter::fault_io}, Case{os::Call::open, EACCES, Counter::fault_permission},
        Case{os::Call::lock, ENOLCK, Counter::fault_io}}) {
    const Directory directory;
    Process process(directory);
    {
      Twin twin;
      twin.refuse = [&](os::Call call, const std::string&) { return call == refused.call ? refused.code : 0; };
      EXPECT_EQ(process.put(Key{"k"}, "v"), Put::fault);
      EXPECT_EQ(process.put(Key{"large"}, noise(5 * k_mib, 1)), Put::fault);
    }
    EXPECT_GT(process.counted(refused.counter), 0u);
    EXPECT_FALSE(process.events.empty());
    EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
    EXPECT_EQ(process.put(Key{"k"}, "v"), Put::stored);
    EXPECT_EQ(process.put(Key{"large"}, noise(5 * k_mib, 1)), Put::stored);
    EXPECT_EQ(process.get(Key{"k"}), "v");
    EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
  }
}

TEST(StoreDamage, AMappingThatIsRefusedIsADegradedMissAndNothingIsForgotten) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  process.reopen();
  {
    Twin twin;
    twin.refuse = [](os::Call call, const std::string&) { return call == os::Call::map ? ENOMEM : 0; };
    EXPECT_EQ(process.store->get(Key{"k"}).miss, Miss::degraded);
  }
  EXPECT_EQ(process.get(Key{"k"}), "v");
}

TEST(StoreDamage, AViewThatCannotBeReadIsAMiss) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, noise(100'000, 1)), Put::stored);
  Twin twin;
  twin.refuse = [](os::Call call, const std::string&) { return call == os::Call::populate ? EIO : 0; };
  EXPECT_EQ(process.store->get(Key{"k"}).miss, Miss::damaged);
  EXPECT_EQ(process.counted(Counter::fault_io), 1u);
}

TEST(StoreDamage, WhatCannotBeReadOfAMappedFileIsAMissAndNoSignal) {
  const Directory directory;
  Process process(directory);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(1000, 1)), Put::stored);
  process.reopen();
  EXPECT_TRUE(process.get(Key{"k", 0}));  // now it is mapped
  const std::filesystem::path segment = segment_files(directory).front();
  const std::filesystem::path kept = directory.path() / "kept";
  std::filesystem::copy_file(segment, kept);
  std::filesystem::resize_file(segment, 4096);
  EXPECT_EQ(process.store->get(Key{"k", 99}).miss, Miss::degraded);
  EXPECT_EQ(process.counted(Counter::fault_io), 1u);
  std::filesystem::copy_file(kept, segment, std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(process.get(Key{"k", 99}), noise(1000, 1)) << "and nothing was forgotten";
}

TEST(StoreDamage, ARemovalThatCannotBeWrittenDownStillHoldsAfterARestart) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  {
    Twin twin;
    twin.refuse = [](os::Call call, const std::string&) { return call == os::Call::write ? EIO : 0; };
    EXPECT_TRUE(process.store->remove(Key{"k"}));
  }
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
  process.store.reset();
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
}

TEST(StoreDamage, ADirectoryThatWasDeletedIsNotUsedAnyMore) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  std::filesystem::remove_all(directory.files().v1());
  process.store->maintain();
  EXPECT_EQ(process.store->get(Key{"k"}).miss, Miss::degraded);
  EXPECT_EQ(process.put(Key{"k"}, "w"), Put::fault);
  EXPECT_EQ(process.events.size(), 1u);
}

// Cleaners of temporary directories take what nobody has written to for days: the lock files first. Locks that are held
// on deleted files exclude nobody.
TEST(StoreDamage, WhoOpensAStoreWhoseLockFilesWereDeletedSharesNoSegmentWithThoseWhoHoldTheirLocks) {
  for (const char* const name : {"open", "lease.00", "lease.3f", "pin.0", "pin.f", ""}) {
    SCOPED_TRACE(name);
    const Directory directory;
    Process first(directory);
    ASSERT_EQ(first.put(Key{"k"}, "v"), Put::stored);
    std::filesystem::remove_all(directory.files().locks() / name);
    Process second(directory);
    if (std::string_view(name) == "open") {
      EXPECT_EQ(second.get(Key{"k"}), "v") << "nobody was opening it";
      continue;
    }
    EXPECT_EQ(second.get(Key{"k"}), std::nullopt);
    EXPECT_EQ(second.put(Key{"k"}, "w"), Put::stored);
    first.store->maintain();
    EXPECT_EQ(first.put(Key{"k"}, "x"), Put::fault);
    EXPECT_EQ(first.events.size(), 1u);
    Process third(directory);
    EXPECT_EQ(third.get(Key{"k"}), "w");
  }
}

TEST(StoreDamage, LockFilesThatWereDeletedWhileNobodyHadTheStoreOpenAreMadeAgain) {
  const Directory directory;
  { Process(directory).put(Key{"k"}, "v"); }
  std::filesystem::remove_all(directory.files().locks());
  EXPECT_EQ(Process(directory).get(Key{"k"}), "v");
}

// Writes a file anew, with holes instead of pages of zeros: what a program that copies files may do.
void make_holes(const std::filesystem::path& path) {
  std::ifstream before(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(before), {}};
  std::filesystem::remove(path);
  std::ofstream after(path, std::ios::binary);
  for (std::size_t at = 0; at < content.size(); at += k_page_bytes) {
    const std::string page = content.substr(at, k_page_bytes);
    if (page == std::string(page.size(), '\0')) continue;
    after.seekp(static_cast<std::streamoff>(at));
    after << page;
  }
  after.close();
  std::filesystem::resize_file(path, content.size());
}

TEST(StoreDamage, ACopyWithHolesIsGivenRoomBeforeItIsWrittenThroughAMapping) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
  process.store.reset();
  const auto holes = [](const std::filesystem::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_blocks * 512 < status.st_size;
  };
  const Paths files = directory.files();
  const std::array mapped{files.control(), files.index(1), files.gen(), files.stats(), files.waits()};
  for (const auto& path : mapped) make_holes(path);
  if (!std::ranges::any_of(mapped, holes)) GTEST_SKIP() << "this file system makes no holes";
  process.open();
  for (const auto& path : mapped) EXPECT_FALSE(holes(path)) << path;
  EXPECT_EQ(process.get(Key{"k"}), "v");
}

TEST(StoreDamage, AFileThatCannotBeOpenedNowIsNotTakenForLost) {
  for (const char* name : {"gen", "index.1", "journal.1"}) {
    SCOPED_TRACE(name);
    const Directory directory;
    Process process(directory);
    ASSERT_EQ(process.put(Key{"k"}, "v"), Put::stored);
    {
      Twin twin;
      twin.refuse = [&](os::Call call, const std::string& path) {
        return call == os::Call::open && path.ends_with(name) ? EMFILE : 0;
      };
      observe::Counters counters;
      StoreOptions options = process.options;
      options.counters = &counters;
      options.on_event = nullptr;
      EXPECT_FALSE(Store::open(options));
    }
    process.store->maintain();
    EXPECT_EQ(process.get(Key{"k"}), "v") << "and the store is the same";
    Process later(directory);
    EXPECT_EQ(later.get(Key{"k"}), "v");
  }
}

TEST(StoreDamage, AFileSystemThatIsNotKnownToBeSafeIsRefusedAndTheErrorSaysWhatToDo) {
  observe::Counters counters;
  const auto store = Store::open({"/proc", 16 * k_mib, Verification::boot, Durability::synced, &counters, {}});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), Errc::unsupported_filesystem);
  EXPECT_NE(store.error().help().find("LARDER_DIR"), std::string::npos) << store.error().help();
}

TEST(StoreDamage, DirectoriesThatMayNotBeUsedAreRefusedAndUntouched) {
  observe::Counters counters;
  const auto code_of = [&](const Directory& directory) {
    const auto store =
        Store::open({directory.path(), 16 * k_mib, Verification::boot, Durability::synced, &counters, {}});
    return store ? std::optional<Errc>() : store.error().code();
  };
  const Directory shared;
  std::filesystem::permissions(shared.path(), std::filesystem::perms::group_write, std::filesystem::perm_options::add);
  EXPECT_EQ(code_of(shared), Errc::permission);
  const Directory newer;
  std::filesystem::create_directory(newer.path() / "v2");
  EXPECT_EQ(code_of(newer), Errc::incompatible_format);
  EXPECT_FALSE(std::filesystem::exists(newer.path() / "v1"));
  const Directory features;
  {
    Process process(features);
    process.put(Key{"k"}, "v");
  }
  {
    const Control control = Control::open(features.files()).value();
    control.page().features = 1;
    control.page().checksum = control_checksum(control.page());
  }
  EXPECT_EQ(code_of(features), Errc::incompatible_format);
  EXPECT_EQ(segment_files(features).size(), 1u);
}

}  // namespace
}  // namespace larder::store
