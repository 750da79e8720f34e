// The store as its callers see it: what was put is found, whole, by every process, until it is removed,
// overwritten or reclaimed.
#include <sys/stat.h>

#include <algorithm>

#include "base/clock.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

TEST(Store, WhatIsPutIsFound) {
  const Directory directory;
  Process process(directory);
  const Key key{"spectrum", 7};
  EXPECT_EQ(process.get(key), std::nullopt);
  EXPECT_EQ(process.put(key, "loud"), Put::stored);
  const Lookup lookup = process.store->get(key);
  ASSERT_TRUE(lookup.found);
  EXPECT_EQ(Process::text(lookup.found->value), "loud");
  EXPECT_EQ(lookup.found->meta.type, "text");
  EXPECT_EQ(lookup.found->meta.cost_ns, 5u);
  EXPECT_EQ(lookup.found->meta.created_ms, 7);
  EXPECT_EQ(lookup.found->meta.expires_ms, k_no_expiry);
  EXPECT_TRUE(process.store->find(key));
  EXPECT_EQ(process.counted(Counter::stored), 1u);
}

TEST(Store, AnOverwriteReplacesAndChangesTheStamp) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  EXPECT_EQ(process.put(key, "one"), Put::stored);
  const std::uint64_t before = process.store->stamp(key);
  EXPECT_EQ(process.put(key, "two"), Put::stored);
  EXPECT_EQ(process.get(key), "two");
  EXPECT_NE(process.store->stamp(key), before);
}

TEST(Store, ARemovedKeyIsAbsentAndItsStampChanges) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  EXPECT_FALSE(process.store->remove(key));
  EXPECT_EQ(process.put(key, "one"), Put::stored);
  const std::uint64_t before = process.store->stamp(key);
  EXPECT_TRUE(process.store->remove(key));
  EXPECT_EQ(process.get(key), std::nullopt);
  EXPECT_NE(process.store->stamp(key), before);
  EXPECT_FALSE(process.store->remove(key));
}

TEST(Store, ClearForgetsEverythingAndFreesTheRoom) {
  const Directory directory;
  Process process(directory);
  const std::uint64_t empty = process.store->usage().bytes;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(process.put(Key{"k", i}, noise(10'000, 1)), Put::stored);
  EXPECT_GT(process.store->usage().bytes, empty);
  process.store->clear();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(process.get(Key{"k", i}), std::nullopt);
  EXPECT_EQ(process.store->usage().bytes, empty);
  EXPECT_EQ(process.put(Key{"k", 1}, "new"), Put::stored);
  EXPECT_EQ(process.get(Key{"k", 1}), "new");
}

TEST(Store, AnExpiredValueIsAMissWithItsReason) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  EXPECT_EQ(process.put(key, "short-lived", base::wall_ms() + 3'600'000), Put::stored);
  EXPECT_EQ(process.get(key), "short-lived");
  EXPECT_EQ(process.put(key, "over", base::wall_ms()), Put::stored);
  EXPECT_EQ(process.store->get(key).miss, Miss::expired);
  EXPECT_FALSE(process.store->find(key));
}

TEST(Store, EverySizeComesBackWholeAndAligned) {
  const Directory directory;
  Process process(directory, 256 * k_mib);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{1000}, std::size_t{16384},
        std::size_t{16385}, std::size_t{65535}, std::size_t{65536}, std::size_t{1048576}, std::size_t{1048577},
        std::size_t{3'500'000}, std::size_t{4'194'304}, std::size_t{9'000'001}}) {
    SCOPED_TRACE(size);
    const Key key{"k", static_cast<std::int64_t>(size)};
    const std::string value = noise(size, size);
    ASSERT_EQ(process.put(key, value), Put::stored);
    const Lookup lookup = process.store->get(key);
    ASSERT_TRUE(lookup.found);
    EXPECT_TRUE(Process::text(lookup.found->value) == value);
    const auto address = reinterpret_cast<std::uintptr_t>(lookup.found->value.data());
    EXPECT_EQ(address % (size >= 65536 ? 4096 : 64), 0u);
  }
}

TEST(Store, APieceMayEndAnywhere) {
  const Directory directory;
  Process process(directory, 256 * k_mib);
  const std::string value = noise(2'500'000, 3);
  const Bytes all = std::as_bytes(std::span(value));
  const std::vector<Bytes> pieces{all.first(1),
                                  all.subspan(1, 0),
                                  all.subspan(1, 1'048'574),
                                  all.subspan(1'048'575, 2),
                                  all.subspan(1'048'577, 1'000'000),
                                  all.subspan(2'048'577),
                                  {}};
  const Key key{"k"};
  ASSERT_EQ(process.store->put(key, {}, pieces, process.store->stamp(key)), Put::stored);
  Process checking(directory, std::nullopt, Verification::always);
  const Lookup lookup = checking.store->get(key);
  ASSERT_TRUE(lookup.found);
  EXPECT_TRUE(Process::text(lookup.found->value) == value);
}

TEST(Store, ALargeValueInUnevenPiecesComesBackWhole) {
  const Directory directory;
  Process process(directory, 256 * k_mib, Verification::always);
  const std::string value = noise(40 * k_mib + 1, 3);
  const Bytes all = std::as_bytes(std::span(value));
  const std::vector<Bytes> pieces{all.first(7), all.subspan(7, 20 * k_mib), all.subspan(20 * k_mib + 7)};
  const Key key{"k"};
  ASSERT_EQ(process.store->put(key, {}, pieces, process.store->stamp(key)), Put::stored);
  const Lookup lookup = process.store->get(key);
  ASSERT_TRUE(lookup.found);
  EXPECT_TRUE(std::ranges::equal(lookup.found->value, all));
}

TEST(Store, AKeyOfSixtyThousandBytesIsAKey) {
  const Directory directory;
  Process process(directory);
  std::vector<std::string> parts;
  for (int i = 0; i < 15; ++i) parts.emplace_back(4000, static_cast<char>('a' + i));
  const Key key{"long", parts};
  ASSERT_GT(key.canonical().size(), 60'000u);
  EXPECT_EQ(process.put(key, "value"), Put::stored);
  EXPECT_EQ(process.get(key), "value");
  parts[7][0] = '!';
  EXPECT_EQ(process.get(Key{"long", parts}), std::nullopt);
}

TEST(Store, TwoProcessesSeeEachOthersValuesAndRemovals) {
  const Directory directory;
  Process a(directory);
  Process b(directory);
  const Key key{"k"};
  EXPECT_EQ(a.put(key, "from a"), Put::stored);
  EXPECT_EQ(b.get(key), "from a");
  const std::uint64_t before = a.store->stamp(key);
  EXPECT_EQ(b.put(key, "from b"), Put::stored);
  EXPECT_EQ(a.get(key), "from b");
  EXPECT_NE(a.store->stamp(key), before);
  EXPECT_TRUE(a.store->remove(key));
  EXPECT_EQ(b.get(key), std::nullopt);
  EXPECT_EQ(a.store->usage().segments, 2u) << "each appends to a segment of its own";
}

TEST(Store, AValueThatWaitedPastAChangeOfItsKeyIsSuperseded) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  const std::string_view late = "late";
  const Bytes bytes = std::as_bytes(std::span(late));
  std::uint64_t stamp = process.store->stamp(key);
  process.store->remove(key);
  EXPECT_EQ(process.store->put(key, {}, std::span(&bytes, 1), stamp), Put::superseded);
  stamp = process.store->stamp(key);
  process.store->clear();
  EXPECT_EQ(process.store->put(key, {}, std::span(&bytes, 1), stamp), Put::superseded);
  EXPECT_EQ(process.get(key), std::nullopt);
}

TEST(Store, ARemovalBetweenAnyTwoStepsOfAPutWins) {
  for (const char* point :
       {"store.append.before_write", "store.append.written", "store.append.committed", "store.publish.pending"}) {
    SCOPED_TRACE(point);
    const Directory directory;
    Process putting(directory);
    Process removing(directory);
    const Key key{"k"};
    ASSERT_EQ(putting.put(key, "old"), Put::stored);
    {
      Twin twin;
      bool done = false;
      twin.at = [&](std::string_view reached) {
        if (done || reached != point) return;
        done = true;
        removing.store->remove(key);
        EXPECT_EQ(removing.get(key), std::nullopt);
      };
      EXPECT_EQ(putting.put(key, "new"), Put::superseded);
      EXPECT_TRUE(done);
    }
    EXPECT_EQ(removing.get(key), std::nullopt);
    putting.store.reset();
    removing.store.reset();
    reboot(directory);
    Process later(directory);
    EXPECT_EQ(later.get(key), std::nullopt) << "a rebuild must not bring it back";
  }
}

TEST(Store, WhatItMakesIsItsOwnersAlone) {
  const Directory directory;
  const ::mode_t before = ::umask(0);
  {
    Process process(directory);
    ASSERT_EQ(process.put(Key{"k"}, "x"), Put::stored);
  }
  ::umask(before);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    EXPECT_EQ(os::ownership(entry.path()).value().mode, entry.is_directory() ? 0700u : 0600u) << entry.path();
  }
}

TEST(Store, ReopeningFindsEverything) {
  const Directory directory;
  Process process(directory);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(process.put(Key{"k", i}, noise(500, 9)), Put::stored);
  process.reopen();
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(process.get(Key{"k", i}) == noise(500, 9));
  EXPECT_EQ(process.counted(Counter::rebuilt), 0u);
}

TEST(Store, AHandedOutValueOutlivesItsStore) {
  const Directory directory;
  auto process = std::make_unique<Process>(directory);
  const std::string value = noise(100'000, 5);
  ASSERT_EQ(process->put(Key{"view"}, value), Put::stored);
  ASSERT_EQ(process->put(Key{"copy"}, "small"), Put::stored);
  const Lookup view = process->store->get(Key{"view"});
  const Lookup copy = process->store->get(Key{"copy"});
  process->store->clear();
  process.reset();
  EXPECT_TRUE(Process::text(view.found->value) == value);
  EXPECT_EQ(Process::text(copy.found->value), "small");
}

TEST(Store, ListsWhatALookupFinds) {
  const Directory directory;
  Process process(directory);
  for (int i = 0; i < 10; ++i) process.put(Key{"k", i}, "v" + std::to_string(i));
  process.put(Key{"k", 3}, "longer value");
  process.store->remove(Key{"k", 4});
  std::vector<std::string> seen;
  std::uint64_t bytes = 0;
  process.store->for_each([&](const Listed& listed) {
    seen.push_back(listed.key.text());
    bytes += listed.bytes;
    EXPECT_EQ(listed.meta.type, "text");
  });
  EXPECT_EQ(seen.size(), 9u);
  EXPECT_EQ(bytes, 8 * 2 + 12u);
}

TEST(Store, ASegmentThatGrowsWhileItIsMappedIsNotTakenForDamaged) {
  const Directory directory;
  Process writer(directory);
  Process reader(directory);
  ASSERT_EQ(writer.put(Key{"k"}, "x"), Put::stored);
  {
    Twin twin;
    twin.at = [&](std::string_view point) {
      if (point == "store.map.committed") writer.put(Key{"other"}, std::string(100'000, 'y'));
    };
    EXPECT_EQ(reader.get(Key{"k"}), "x");
  }
  EXPECT_EQ(reader.counted(Counter::fault_damaged_file), 0u);
}

}  // namespace
}  // namespace larder::store
