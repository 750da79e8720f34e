// Large values that are put piece by piece, and read in parts.
#include <algorithm>
#include <random>

#include "store/stored_value.hpp"
#include "store/streamed_put.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

const Meta k_meta{"text", 5, 7, k_no_expiry, {}};

Bytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Writes the text in pieces of random lengths, and publishes it. The first `front` bytes come last.
Put stream(Process& process, const Key& key, std::string_view text, std::size_t front = 0, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  const std::uint64_t stamp = process.store->stamp(key);
  StreamedPut put(*process.store, key, k_meta, front);
  for (std::string_view rest = text.substr(front); !rest.empty();) {
    const std::size_t piece = std::min<std::size_t>(rest.size(), std::size_t{1} << random() % 22);
    put.write(bytes_of(rest.substr(0, piece)));
    rest.remove_prefix(piece);
  }
  return put.publish(k_meta, bytes_of(text.substr(0, front)), stamp);
}

std::optional<StoredValue> find(Process& process, const Key& key) {
  return std::move(StoredValue::find(*process.store, key).value);
}

std::optional<std::string> range(const StoredValue& value, std::uint64_t offset, std::uint64_t bytes) {
  const Result<Bytes> found = value.range(offset, bytes);
  return found ? std::optional(Process::text(*found)) : std::nullopt;
}

// Where the value of the only segment begins in its file.
std::uint64_t value_offset(const Directory& directory, std::string_view value) {
  std::ifstream file(segment_files(directory).at(0), std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  return all.find(value.substr(0, 64));
}

TEST(Stream, EveryLengthComesBackWholeWhateverThePieces) {
  for (const std::size_t front : {std::size_t{0}, std::size_t{1}, std::size_t{4096}}) {
    const Directory directory;
    Process process(directory, 64 * k_mib);
    for (const std::size_t bytes : {k_mib, k_mib + 1, 2 * k_mib - 1, 2 * k_mib, 4 * k_mib, 5 * k_mib - 63}) {
      SCOPED_TRACE(testing::Message() << bytes << " bytes, front " << front);
      const Key key{"k", static_cast<std::int64_t>(bytes)};
      const std::string value = noise(bytes, bytes);
      ASSERT_EQ(stream(process, key, value, front, bytes), Put::stored);
      EXPECT_TRUE(process.get(key) == value);
      const auto stored = find(process, key);
      ASSERT_TRUE(stored);
      EXPECT_EQ(stored->size(), bytes);
      EXPECT_EQ(stored->meta().type, "text");
      EXPECT_TRUE(range(*stored, 0, UINT64_MAX) == value);
    }
    process.store->check();
  }
}

TEST(Stream, AValueIsFoundByAnotherProcessThatBelievesNothingAndAfterARestart) {
  const Directory directory;
  Process process(directory, 64 * k_mib);
  const std::string value = noise(3 * k_mib + 5, 1);
  ASSERT_EQ(stream(process, Key{"k"}, value, 4096), Put::stored);
  ASSERT_EQ(process.put(Key{"known"}, noise(3 * k_mib + 5, 2)), Put::stored);
  Process checking(directory, std::nullopt, Verification::always);
  EXPECT_TRUE(checking.get(Key{"k"}) == value);
  process.store.reset();
  checking.store.reset();
  reboot(directory);
  Process later(directory);
  EXPECT_TRUE(later.get(Key{"k"}) == value);
  EXPECT_TRUE(later.get(Key{"known"}) == noise(3 * k_mib + 5, 2));
}

TEST(Stream, AValueWithAFrontAndALongKeyIsVerifiedLikeAnyOther) {
  const Directory directory;
  const std::string long_key(60'000, 'k');
  for (const std::size_t front : {std::size_t{0}, std::size_t{4096}, k_mib - 1}) {
    SCOPED_TRACE(testing::Message() << "front " << front);
    const Key key{long_key, static_cast<std::int64_t>(front)};
    const std::string value = noise(3 * k_mib + 5, front);
    {
      Process process(directory, 256 * k_mib);
      ASSERT_EQ(stream(process, key, value, front), Put::stored);
    }
    Process checking(directory, std::nullopt, Verification::always);
    EXPECT_TRUE(checking.get(key) == value);
    const auto stored = find(checking, key);
    ASSERT_TRUE(stored);
    EXPECT_EQ(range(*stored, k_mib - 3, 7), value.substr(k_mib - 3, 7));
    checking.store->check();
  }
}

TEST(Stream, NothingIsSeenBeforeItIsPublishedAndWhatIsGivenUpLeavesNothing) {
  const Directory directory;
  Process process(directory, 64 * k_mib);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  const std::uint64_t before = process.store->usage().bytes;
  {
    StreamedPut put(*process.store, key, k_meta, 0);
    EXPECT_TRUE(put.write(bytes_of(noise(5 * k_mib, 1))));
    EXPECT_EQ(process.get(key), "old");
    EXPECT_GE(process.store->usage().bytes, before + 5 * k_mib) << "it counts against the limit";
  }
  EXPECT_EQ(process.get(key), "old");
  EXPECT_EQ(process.store->usage().bytes, before);
  process.store->check();
}

TEST(Stream, ARemovalBetweenAnyTwoStepsWins) {
  for (const char* point : {"begun", "store.stream.chunk", "store.append.before_write", "store.stream.table",
                            "store.append.written", "store.append.committed", "store.publish.pending"}) {
    SCOPED_TRACE(point);
    const Directory directory;
    Process process(directory, 64 * k_mib);
    Process removing(directory, 64 * k_mib);
    const Key key{"k"};
    const std::uint64_t stamp = process.store->stamp(key);
    {
      StreamedPut put(*process.store, key, k_meta, 0);
      Twin twin;
      bool done = false;
      twin.at = [&](std::string_view reached) {
        if (done || reached != point) return;
        done = true;
        removing.store->remove(key);
      };
      twin.at("begun");
      put.write(bytes_of(noise(2 * k_mib, 1)));
      EXPECT_EQ(put.publish(k_meta, {}, stamp), Put::superseded);
      EXPECT_TRUE(done);
    }
    EXPECT_EQ(removing.get(key), std::nullopt);
    process.store.reset();
    removing.store.reset();
    reboot(directory);
    Process later(directory);
    EXPECT_EQ(later.get(key), std::nullopt) << "a rebuild must not bring it back";
  }
}

TEST(Stream, KilledAnywhereNothingOfItIsFoundAndItsRoomGoesToWhoComesNext) {
  const Key key{"k"};
  const Key other{"other"};
  const std::string old = noise(3 * k_mib, 7);
  const std::string killed = noise(6 * k_mib, 1);
  for (const std::string_view point :
       {"store.segment.listed", "store.stream.chunk", "store.append.before_write", "store.stream.table",
        "store.append.written", "store.append.committed", "store.publish.pending"}) {
    for (const bool restart : {false, true}) {
      SCOPED_TRACE(testing::Message() << point << (restart ? ", restarted" : ""));
      const Directory directory;
      std::uint64_t room = 0;
      {
        Process process(directory);
        ASSERT_EQ(process.put(other, old), Put::stored);
        room = process.store->usage().limit - process.store->usage().bytes;
      }
      die_at(point, directory, [&](Process& dying) { stream(dying, key, killed); });
      if (restart) reboot(directory);
      Process next(directory);
      // Once its head is written it is a value to who rebuilds the index: nobody was told that it was not.
      const bool whole =
          point == "store.append.written" || point == "store.append.committed" || point == "store.publish.pending";
      const std::optional<std::string> found = next.get(key);
      EXPECT_TRUE(!found || (restart && whole && *found == killed));
      EXPECT_TRUE(next.get(other) == old);
      next.store->remove(key);
      EXPECT_EQ(next.get(key), std::nullopt);
      const std::string large(room - 2 * k_mib, 'x');
      EXPECT_EQ(stream(next, Key{"next"}, large), Put::stored);
      EXPECT_LE(next.store->usage().bytes, next.store->usage().limit);
      if (whole) continue;
      EXPECT_TRUE(next.get(other) == old) << "what is half written goes before what is a value";
    }
  }
}

TEST(Stream, TheLimitHoldsWhileAValueGrowsAndOneThatIsTooLargeIsRefusedAndTakesTheOlderOneAlong) {
  const Directory directory;
  Process process(directory, 32 * k_mib);
  const Key key{"k"};
  const std::uint64_t empty = process.store->usage().bytes;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(process.put(Key{"other", i}, noise(2 * k_mib, 1)), Put::stored);
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  const std::uint64_t stamp = process.store->stamp(key);
  StreamedPut put(*process.store, key, k_meta, 0);
  const std::string piece = noise(k_mib, 3);
  int taken = 0;
  while (put.write(bytes_of(piece))) {
    ASSERT_LE(process.store->usage().bytes, process.store->usage().limit);
    ASSERT_LT(++taken, 33);
  }
  EXPECT_GE(taken, 25) << "what the limit allows is taken";
  EXPECT_EQ(put.publish(k_meta, {}, stamp), Put::too_large);
  EXPECT_EQ(process.get(key), std::nullopt);
  EXPECT_LE(process.store->usage().bytes, empty + 2 * k_mib) << "nothing of it is left";
}

TEST(Stream, AFullDiskInTheMiddleRefusesThePutAndLeavesNothing) {
  const Directory directory;
  Process process(directory, 64 * k_mib);
  const Key key{"k"};
  ASSERT_EQ(process.put(key, "old"), Put::stored);
  const std::uint64_t before = process.store->usage().bytes;
  const std::uint64_t stamp = process.store->stamp(key);
  StreamedPut put(*process.store, key, k_meta, 0);
  ASSERT_TRUE(put.write(bytes_of(noise(3 * k_mib, 1))));
  {
    Twin twin;
    twin.refuse = [](os::Call call, const std::string& path) {
      return call == os::Call::write && path.ends_with(".seg") ? ENOSPC : 0;
    };
    EXPECT_FALSE(put.write(bytes_of(noise(3 * k_mib, 1))));
  }
  EXPECT_FALSE(put.write(bytes_of("more")));
  EXPECT_EQ(process.store->usage().bytes, before);
  EXPECT_EQ(put.publish(k_meta, {}, stamp), Put::fault);
  EXPECT_EQ(process.counted(Counter::fault_no_space), 1u);
  EXPECT_EQ(process.get(key), std::nullopt) << "the older value must not stand for the newer one";
}

TEST(Stream, OfTwoWritersOfAKeyOneIsFoundAndTheOtherIsToldSo) {
  const Directory directory;
  Process a(directory, 64 * k_mib);
  Process b(directory, 64 * k_mib);
  const Key key{"k"};
  const std::string first = noise(2 * k_mib, 1);
  const std::string second = noise(3 * k_mib, 2);
  StreamedPut one(*a.store, key, k_meta, 0);
  StreamedPut two(*b.store, key, k_meta, 0);
  const std::uint64_t stamp_one = a.store->touch(key);
  one.write(bytes_of(first));
  const std::uint64_t stamp_two = b.store->touch(key);
  two.write(bytes_of(second));
  EXPECT_EQ(two.publish(k_meta, {}, stamp_two), Put::stored);
  EXPECT_EQ(one.publish(k_meta, {}, stamp_one), Put::superseded);
  EXPECT_TRUE(a.get(key) == second);
  EXPECT_TRUE(b.get(key) == second);
}

TEST(Stream, ClearedMeanwhileItIsSuperseded) {
  const Directory directory;
  Process process(directory, 64 * k_mib);
  const Key key{"k"};
  const std::uint64_t stamp = process.store->stamp(key);
  StreamedPut put(*process.store, key, k_meta, 0);
  put.write(bytes_of(noise(2 * k_mib, 1)));
  process.store->clear();
  EXPECT_TRUE(put.write(bytes_of(noise(2 * k_mib, 1))));
  EXPECT_EQ(put.publish(k_meta, {}, stamp), Put::superseded);
  EXPECT_EQ(process.get(key), std::nullopt);
}

TEST(Stream, ADamagedMiBFailsTheReadsThatTouchItAndNoOthers) {
  const std::string value = noise(5 * k_mib + 9, 1);
  for (const std::uint64_t damaged : {0, 2, 5}) {
    SCOPED_TRACE(damaged);
    const Directory directory;
    const Key key{"k"};
    {
      Process process(directory);
      ASSERT_EQ(process.put(key, value), Put::stored);
    }
    flip(segment_files(directory).at(0), value_offset(directory, value) + damaged * k_mib + 3);
    reboot(directory);
    Process process(directory);
    const auto stored = find(process, key);
    ASSERT_TRUE(stored);
    for (const std::uint64_t i : {1, 3, 4}) {
      EXPECT_TRUE(range(*stored, i * k_mib + 5, 100) == value.substr(i * k_mib + 5, 100));
    }
    EXPECT_EQ(process.counted(Counter::fault_damaged_record), 0u);
    const Result<Bytes> bad = stored->range(damaged * k_mib, 1);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code(), Errc::damaged);
    EXPECT_NE(std::string(bad.error().what()).find("MiB " + std::to_string(damaged)), std::string::npos);
    EXPECT_FALSE(stored->range(0, value.size()));
    EXPECT_GE(process.counted(Counter::fault_damaged_record), 1u);
    EXPECT_EQ(range(*stored, 3 * k_mib, 1), value.substr(3 * k_mib, 1)) << "the others stay readable";
    EXPECT_EQ(process.store->get(key).miss, Miss::absent) << "it is forgotten";
  }
}

TEST(Stream, WhatIsReadIsVerifiedOnceABootOnceAProcessOrAlways) {
  const std::string value = noise(4 * k_mib, 1);
  for (const Verification verification : {Verification::boot, Verification::process, Verification::always}) {
    const Directory directory;
    const Key key{"k"};
    {
      Process process(directory);
      ASSERT_EQ(process.put(key, value), Put::stored);
    }
    Process process(directory, std::nullopt, verification);
    const std::uint64_t at = value_offset(directory, value);
    {
      const auto stored = find(process, key);
      ASSERT_TRUE(stored);
      EXPECT_TRUE(range(*stored, 0, k_mib)) << "written in this boot, or seen now";
      flip(segment_files(directory).at(0), at);
      EXPECT_EQ(stored->range(0, 1).has_value(), verification != Verification::always);
      flip(segment_files(directory).at(0), at + 2 * k_mib);
      EXPECT_EQ(stored->range(2 * k_mib, 1).has_value(), verification == Verification::boot);
    }
  }
}

TEST(Stream, AValueThatWasReadWholeCountsAsVerifiedForEverybody) {
  const Directory directory;
  const Key key{"k"};
  const std::string value = noise(3 * k_mib + 1, 1);
  {
    Process process(directory);
    ASSERT_EQ(process.put(key, value), Put::stored);
  }
  reboot(directory);
  Process reading(directory);
  Process other(directory);
  const auto stored = find(reading, key);
  ASSERT_TRUE(stored);
  EXPECT_TRUE(range(*stored, 0, value.size()) == value);
  flip(segment_files(directory).at(0), value_offset(directory, value));
  EXPECT_TRUE(find(other, key)->range(0, 1)) << "not looked at again";
}

TEST(Stream, ARangeEndsWithTheValueAndAnEmptyOneIsEmpty) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, "0123456789"), Put::stored);
  ASSERT_EQ(process.put(Key{"empty"}, ""), Put::stored);
  const auto stored = find(process, Key{"k"});
  EXPECT_EQ(range(*stored, 3, 4), "3456");
  EXPECT_EQ(range(*stored, 8, 100), "89");
  EXPECT_EQ(range(*stored, 10, 1), "");
  EXPECT_EQ(range(*stored, UINT64_MAX, UINT64_MAX), "");
  EXPECT_EQ(range(*find(process, Key{"empty"}), 0, 1), "");
  EXPECT_FALSE(find(process, Key{"nothing"}));
}

TEST(Stream, AnIoErrorUnderATrustedValueIsAnError) {
  const Directory directory;
  Process process(directory);
  ASSERT_EQ(process.put(Key{"k"}, noise(5 * k_mib, 1)), Put::stored);
  const auto stored = find(process, Key{"k"});
  Twin twin;
  twin.refuse = [](os::Call call, const std::string&) { return call == os::Call::populate ? EIO : 0; };
  const Result<Bytes> bad = stored->range(k_mib, 1);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Errc::io);
  EXPECT_EQ(process.counted(Counter::fault_io), 1u);
}

}  // namespace
}  // namespace larder::store
