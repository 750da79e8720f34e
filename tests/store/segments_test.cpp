// Segments as files that processes share: mapped once and for reading only, found again by whoever comes next, gone
// under nobody's view, and numbered so that no number comes back.
#include "store/segments.hpp"
#include "store/inspect.hpp"
#include "store/locks.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

// What this process has mapped of the store's segments, as the system lists it.
std::vector<std::string> mapped_segments(const Directory& directory) {
  const std::string segments = std::filesystem::canonical(directory.files().segments()).string();
  std::vector<std::string> lines;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(segments) != std::string::npos) lines.push_back(line);
  }
  return lines;
}

TEST(Segments, AreMappedOnceHoweverManyViewsAreHeldAndForReadingOnly) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  std::vector<Lookup> views;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(process.put(Key{"k", i}, noise(20'000, 1)), Put::stored);
    for (int twice = 0; twice < 2; ++twice) views.push_back(process.store->get(Key{"k", i}));
    ASSERT_TRUE(views.back().found);
  }
  const std::vector<std::string> mapped = mapped_segments(directory);
  EXPECT_EQ(mapped.size(), segment_files(directory).size());
  for (const std::string& line : mapped) EXPECT_NE(line.find(" r--s "), std::string::npos) << line;
}

TEST(Segments, BeyondTheMostThatMayBeMappedThoseThatNobodyHoldsAreUnmapped) {
  const Directory directory;
  {
    Process writer(directory, 16 * k_mib);
    for (int i = 0; i < 10; ++i) ASSERT_EQ(writer.put(Key{"k", i}, noise(600'000, 1)), Put::stored);
  }
  const Control control = Control::open(directory.files()).value();
  observe::Counters counters;
  Trouble trouble(counters, nullptr);
  const auto segments = Segments::open(directory.files(), control,
                                       open_pin_files(directory.files(), Missing::refused).value(), trouble, 4);
  const Segments::Pin held = segments->pin(0);
  ASSERT_TRUE(held);
  for (int twice = 0; twice < 2; ++twice) {
    for (std::uint32_t slot = 1; slot < 10; ++slot) {
      EXPECT_TRUE(segments->pin(slot)) << slot;
      EXPECT_LE(mapped_segments(directory).size(), 4u);
    }
  }
  EXPECT_TRUE(read_record(held.bytes(), held.seed(), sizeof(SegmentHeader)));
  segments->check();
}

TEST(Segments, OneThatIsReclaimedWhileItIsBeingMappedIsAMissAndNoFault) {
  for (const bool before_it_is_opened : {true, false}) {
    SCOPED_TRACE(before_it_is_opened);
    const Directory directory;
    Process writer(directory);
    Process reader(directory);
    ASSERT_EQ(writer.put(Key{"k"}, "old"), Put::stored);
    {
      Twin twin;
      bool done = false;
      const auto reclaim = [&] {
        if (std::exchange(done, true)) return;
        writer.store->clear();
        ASSERT_EQ(writer.put(Key{"in its place"}, "x"), Put::stored);
      };
      twin.refuse = [&](os::Call call, const std::string& path) {
        if (before_it_is_opened && call == os::Call::open && path.ends_with(".seg")) reclaim();
        return 0;
      };
      twin.at = [&](std::string_view point) {
        if (point == "store.map.committed") reclaim();
      };
      EXPECT_EQ(reader.store->get(Key{"k"}).miss, Miss::absent);
      EXPECT_TRUE(done);
    }
    EXPECT_TRUE(reader.events.empty());
    EXPECT_NO_THROW(reader.store->check());
    EXPECT_EQ(reader.get(Key{"in its place"}), "x");
  }
}

TEST(Segments, AreKeptByAViewAndNotByACopyAndALargeValueKeepsItsOwnFileOnly) {
  constexpr std::size_t k_large = 5 * k_mib;
  for (const std::size_t size : {std::size_t{k_copy_bytes_max}, std::size_t{k_copy_bytes_max + 1}, k_large}) {
    SCOPED_TRACE(size);
    const Directory directory;
    Process process(directory);
    const std::uint64_t empty = process.store->usage().bytes;
    const std::string value = noise(size, 1);
    ASSERT_EQ(process.put(Key{"neighbor"}, noise(3 * k_mib / 4, 2)), Put::stored);
    ASSERT_EQ(process.put(Key{"held"}, value), Put::stored);
    const Lookup held = process.store->get(Key{"held"});
    ASSERT_TRUE(held.found);
    process.store->clear();
    EXPECT_EQ(Process::text(held.found->value), value);
    const std::uint64_t kept = process.store->usage().bytes - empty;
    if (size <= k_copy_bytes_max) {
      EXPECT_EQ(kept, 0u);
    } else if (size == k_large) {
      EXPECT_GE(kept, k_large);
      EXPECT_LT(kept, k_large + 64 * 1024);
    } else {
      EXPECT_GT(kept, 3 * k_mib / 4) << "its neighbor, too";
    }
  }
}

TEST(Segments, AreGoneOnWithByTheNextProcess) {
  const Directory directory;
  for (int i = 0; i < 20; ++i) {
    Process process(directory);
    ASSERT_EQ(process.put(Key{"k", i}, "x"), Put::stored);
  }
  EXPECT_EQ(segment_files(directory).size(), 1u);
  Process process(directory);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(process.get(Key{"k", i}), "x");
}

TEST(Segments, GetNoNumberThatAnotherOneHad) {
  const Directory directory;
  Process process(directory);
  std::set<std::filesystem::path> had;
  for (const bool restarted : {false, true, true, false}) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(process.put(Key{"k"}, "x"), Put::stored);
      for (const auto& file : segment_files(directory)) EXPECT_TRUE(had.insert(file).second) << file;
      process.store->clear();
      ASSERT_TRUE(segment_files(directory).empty());
    }
    process.store.reset();
    if (restarted) reboot(directory);
    process.open();
  }
  EXPECT_EQ(had.size(), 12u);
}

TEST(Segments, LeaveNoSlotsBehindWhenTheyAreReclaimedEvenIfTheyAreDamaged) {
  const Directory directory;
  Process process(directory, 16 * k_mib);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(1000, 1)), Put::stored);
  flip(segment_files(directory).front(), sizeof(SegmentHeader));
  const std::filesystem::path first = segment_files(directory).front();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(process.put(Key{"new", i}, noise(100'000, 1)), Put::stored);
  ASSERT_FALSE(std::filesystem::exists(first));
  EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
  EXPECT_NO_THROW(process.store->check());
}

}  // namespace
}  // namespace larder::store
