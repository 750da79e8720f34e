// The index beside publishers that stop half way: whoever has seen the newer value, and whoever looks at the
// stamps, agrees that the older one is gone.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "store/slots.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

// Puts in a process that is killed at a named point.
void put_and_die(const Directory& directory, const Key& key, std::string_view value, std::string_view point) {
  const pid_t child = ::fork();
  if (child == 0) {
    Process dying(directory);
    Twin twin;
    twin.at = [&](std::string_view reached) {
      if (reached == point) ::raise(SIGKILL);
    };
    static_cast<void>(dying.put(key, value));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << point;
}

Slots index_of(const Directory& directory) {
  const std::filesystem::path file = directory.files().index(1);
  return Slots(map_file(file, std::filesystem::file_size(file)).value());
}

// Fills what is empty of a key's buckets with slots of others, which lead to `at`.
void fill_buckets(const Directory& directory, const Key& key, Location at) {
  const Slots slots = index_of(directory);
  const Digest other{~key.fingerprint().low, ~key.fingerprint().high};
  for (const std::span<Slot> bucket : slots.buckets(key.fingerprint())) {
    for (Slot& slot : bucket) {
      if (slot.load() == 0) slot.store(pack_slot(other, at));
    }
  }
}

// Another key with the same two buckets.
Key neighbor_of(const Directory& directory, const Key& key) {
  const Slots slots = index_of(directory);
  const auto buckets = [&](const Key& of) {
    const auto both = slots.buckets(of.fingerprint());
    return std::set{both[0].data(), both[1].data()};
  };
  const std::set<Slot*> wanted = buckets(key);
  std::int64_t number = 0;
  while (buckets(Key{"neighbor", number}) != wanted) ++number;
  return Key{"neighbor", number};
}

constexpr Location k_nowhere{900, 64};
constexpr Location k_second_segment{1, sizeof(SegmentHeader)};

TEST(Index, WhoSeesTheNewerValueOfADeadPublisherOutdatesTheOlderOne) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  put_and_die(directory, key, "new", "store.publish.visible");
  const std::uint64_t remembered = process.store->stamp(key);
  EXPECT_EQ(process.get(key), "new");
  const std::uint64_t settled = process.store->stamp(key);
  EXPECT_NE(settled, remembered);
  EXPECT_EQ(process.get(key), "new");
  EXPECT_EQ(process.store->stamp(key), settled) << "once";
}

TEST(Index, AValueThatTakesTheOlderOnesSlotIsNotSeenBeforeTheStampHasChanged) {
  const Directory directory;
  Process process(directory);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  fill_buckets(directory, key, k_nowhere);
  const std::uint64_t remembered = process.store->stamp(key);
  put_and_die(directory, key, "new", "store.publish.visible");
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
  put_and_die(directory, key, "lost", "store.publish.pending");
  EXPECT_EQ(process.get(key), std::nullopt);
  EXPECT_EQ(process.store->stamp(key), remembered) << "the older value may be remembered";
  put_and_die(directory, key, "new", "store.publish.visible");
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
    put_and_die(directory, key, "new", "store.publish.visible");
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
