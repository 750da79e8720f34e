// Reclaim with judgement: what is worth it stays, at a bounded cost, and nothing that was removed, put over or evicted
// comes back because a copy of it was made, wherever that is interrupted.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <tuple>

#include "base/clock.hpp"
#include "store/inspect.hpp"
#include "store/journal.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr std::uint64_t k_limit = 16 * k_mib;  // segments of 1 MiB
constexpr std::uint64_t k_second = 1'000'000'000;

Put put(Process& process, const Key& key, std::string_view value, const Meta& meta) {
  const Bytes bytes = std::as_bytes(std::span(value));
  return process.store->put(key, meta, std::span(&bytes, 1), process.store->stamp(key));
}

Meta costing(std::uint64_t cost_ns) {
  return {"text", cost_ns, 7, k_no_expiry, {}};
}

void use(Process& process, const Key& key, int times = 3) {
  for (int i = 0; i < times; ++i) EXPECT_TRUE(process.get(key)) << key.text();
}

// Puts values that nobody uses, as many as push out what was there several times over.
void press(Process& process, int megabytes = 48) {
  for (int i = 0; i < 10 * megabytes; ++i) {
    ASSERT_EQ(process.put(Key{"filler", i}, noise(100'000, 1)), Put::stored);
    process.store->reclaim_if_low();
    ASSERT_LE(process.store->usage().bytes, k_limit);
  }
}

// Puts a value that takes 100 kB.
void put_one(Process& process, const char* name, int i, std::int64_t expires_ms = k_no_expiry) {
  ASSERT_EQ(process.put(Key{name, i}, noise(100'000, 1), expires_ms), Put::stored) << name << i;
}

void fill(Process& process, const char* name, int count, std::int64_t expires_ms = k_no_expiry) {
  for (int i = 0; i < count; ++i) ASSERT_NO_FATAL_FAILURE(put_one(process, name, i, expires_ms));
}

void expect_all(Process& process, const char* name, int count) {
  for (int i = 0; i < count; ++i) EXPECT_TRUE(process.get(Key{name, i})) << name << i;
}

// A few seconds from now, and a whole one: segments know no parts of it.
std::int64_t in_seconds() {
  return (base::wall_ms() / 1000 + 4) * 1000;
}

void wait_until(std::int64_t wall_ms) {
  while (base::wall_ms() < wall_ms) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void restart(const Directory& directory, Process& process) {
  process.store.reset();
  reboot(directory);
  process.open();
}

TEST(Reclaimer, WhatIsExpensiveAndUsedOutlivesWhatIsCheapOrUnused) {
  const Directory directory;
  Process process(directory, k_limit);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(put(process, Key{"expensive", i}, noise(10'000, 1), costing(k_second)), Put::stored);
    ASSERT_EQ(put(process, Key{"cheap", i}, noise(10'000, 2), costing(1000)), Put::stored);
    ASSERT_EQ(put(process, Key{"unused", i}, noise(10'000, 3), costing(k_second)), Put::stored);
    use(process, Key{"expensive", i});
    use(process, Key{"cheap", i});
  }
  ASSERT_NO_FATAL_FAILURE(press(process, 24));
  int expensive = 0;
  int others = 0;
  for (int i = 0; i < 20; ++i) {
    expensive += process.get(Key{"expensive", i}) == noise(10'000, 1) ? 1 : 0;
    others += process.get(Key{"cheap", i}) ? 1 : 0;
    others += process.get(Key{"unused", i}) ? 1 : 0;
  }
  EXPECT_EQ(expensive, 20);
  EXPECT_LE(others, 5) << "what room there is beside them";
  process.store->check();
}

TEST(Reclaimer, WhatIsUsedNoMoreGoesInTheEnd) {
  const Directory directory;
  Process process(directory, k_limit);
  ASSERT_EQ(put(process, Key{"k"}, noise(10'000, 1), costing(k_second)), Put::stored);
  ASSERT_EQ(put(process, Key{"large"}, noise(k_mib, 1), costing(3600 * k_second)), Put::stored);
  use(process, Key{"k"});
  use(process, Key{"large"});
  ASSERT_NO_FATAL_FAILURE(press(process, 120));
  EXPECT_EQ(process.get(Key{"k"}), std::nullopt);
  EXPECT_EQ(process.get(Key{"large"}), std::nullopt);
}

TEST(Reclaimer, ALargeValueThatIsWorthItStaysWhereItIs) {
  const Directory directory;
  Process process(directory, k_limit);
  const std::string large = noise(k_mib, 1);
  ASSERT_EQ(put(process, Key{"large"}, large, costing(k_second)), Put::stored);
  ASSERT_EQ(put(process, Key{"unused"}, large, costing(k_second)), Put::stored);
  use(process, Key{"large"});
  ASSERT_NO_FATAL_FAILURE(press(process, 20));
  EXPECT_TRUE(process.get(Key{"large"}) == large);
  EXPECT_EQ(process.get(Key{"unused"}), std::nullopt);
  EXPECT_EQ(process.counted(Counter::reinserted), 0u);
}

TEST(Reclaimer, WhatIsExpiredOrInvalidatedGoesFirstAndIsNotKept) {
  const Directory directory;
  Process process(directory, k_limit);
  const TagId tag = tag_id("t");
  const auto fill = [&](const char* name, const Meta& meta) {
    for (int i = 0; i < 10; ++i) {
      ASSERT_EQ(put(process, Key{name, i}, noise(100'000, 1), meta), Put::stored);
      use(process, Key{name, i});
    }
  };
  // In this order: what is fresh is the oldest.
  fill("fresh", costing(k_second));
  const std::int64_t soon_ms = in_seconds();
  fill("expired", {"text", k_second, 7, soon_ms, {}});
  fill("invalidated", {"text", k_second, 7, k_no_expiry, {process.store->tags().moment(), {tag}}});
  process.store->invalidate(tag);
  wait_until(soon_ms);
  int pressed = 0;
  while (process.counted(Counter::segments_reclaimed) < 2 && pressed < 200) {
    ASSERT_EQ(process.put(Key{"filler", pressed++}, noise(100'000, 1)), Put::stored);
    process.store->maintain();
  }
  expect_all(process, "fresh", 10);
  EXPECT_EQ(process.counted(Counter::reinserted), 0u);
  int left = 0;
  for (int i = 0; i < 10; ++i) left += process.store->get(Key{"expired", i}).miss == Miss::expired ? 1 : 0;
  EXPECT_EQ(left, 0) << "they shared no segment with fresh ones";
}

TEST(Reclaimer, WhatExpiresSoonTakesNoRoomFromWhatLastsWhenItHasExpired) {
  const Directory directory;
  Process process(directory, k_limit);
  const std::int64_t soon_ms = in_seconds();
  // Of what is unused, all that lasts is older: in segments of both it would have to go first.
  for (int i = 0; i < 40; ++i) {
    ASSERT_NO_FATAL_FAILURE(put_one(process, "lasting", i));
    ASSERT_NO_FATAL_FAILURE(put_one(process, "short", i, soon_ms));
    ASSERT_NO_FATAL_FAILURE(put_one(process, "always", i, soon_ms + 1'000'000));
  }
  EXPECT_TRUE(process.get(Key{"lasting", 0}));
  EXPECT_TRUE(process.get(Key{"short", 0}));
  wait_until(soon_ms);
  fill(process, "more", 35);
  expect_all(process, "lasting", 40);
  expect_all(process, "always", 40);
}

TEST(Reclaimer, KnowsAfterARestartWhichSegmentsAreOver) {
  const Directory directory;
  Process process(directory, k_limit);
  const std::int64_t soon_ms = in_seconds();
  for (int i = 0; i < 70; ++i) {
    ASSERT_NO_FATAL_FAILURE(put_one(process, "lasting", i));
    ASSERT_NO_FATAL_FAILURE(put_one(process, "short", i, soon_ms));
  }
  restart(directory, process);
  wait_until(soon_ms);
  fill(process, "more", 50);
  expect_all(process, "lasting", 70);
}

TEST(Reclaimer, ALargeValueThatHasExpiredGoesBeforeWhatIsOlder) {
  const Directory directory;
  Process process(directory, k_limit);
  const std::int64_t soon_ms = in_seconds();
  fill(process, "lasting", 60);
  ASSERT_EQ(process.put(Key{"large"}, noise(7 * k_mib, 1), soon_ms), Put::stored);
  wait_until(soon_ms);
  fill(process, "more", 60);
  expect_all(process, "lasting", 60);
}

TEST(Reclaimer, AProcessAppendsToFewSegmentsHoweverDifferentLifetimesAre) {
  const Directory directory;
  Process process(directory, k_limit);
  const std::int64_t now_ms = base::wall_ms();
  for (int round = 0; round < 3; ++round) {
    std::int64_t lifetime_ms = 10'000;
    for (int i = 0; i < 8; ++i, lifetime_ms *= 8) {
      ASSERT_EQ(process.put(Key{"k", i, round}, noise(1000, 1), now_ms + lifetime_ms), Put::stored);
    }
    ASSERT_EQ(process.put(Key{"always", round}, noise(1000, 1)), Put::stored);
  }
  EXPECT_EQ(segment_files(directory).size(), 4u) << "the others are mixed in";
  int open = 0;
  for (const auto& descriptor : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // that of the iteration itself
    open += std::filesystem::read_symlink(descriptor, gone).extension() == ".seg" ? 1 : 0;
  }
  EXPECT_EQ(open, 4);
}

// There are 16 segments, and 20 would be held.
TEST(Reclaimer, ManyWritersWithManyLifetimesAreRefusedNothingInASmallStore) {
  constexpr std::size_t k_writers = 5;
  const Directory directory;
  std::vector<std::unique_ptr<Process>> writers;
  for (std::size_t i = 0; i < k_writers; ++i) writers.push_back(std::make_unique<Process>(directory, k_limit));
  const std::string value = noise(50'000, 1);
  const std::int64_t now_ms = base::wall_ms();
  std::atomic<int> refused = 0;
  std::atomic<std::size_t> done = 0;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < k_writers; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 60; ++round) {
        std::int64_t lifetime_ms = 60'000;
        for (int kind = 0; kind < 4; ++kind, lifetime_ms *= 16) {
          const Put put = writers[i]->put(Key{"k", i, kind, round}, value, now_ms + lifetime_ms);
          // Superseded: keys share change counters.
          refused += put == Put::stored || put == Put::superseded ? 0 : 1;
        }
      }
      // As a process does that has nothing to put: the others wait for what it maps.
      for (++done; done < k_writers;) {
        writers[i]->store->maintain();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
  }
  threads.clear();
  EXPECT_EQ(refused, 0);
}

TEST(Reclaimer, WhoWaitsForOthersToUnmapASegmentHasUnmappedItItself) {
  const Directory directory;
  Process process(directory, k_limit);
  Process other(directory, k_limit);
  fill(process, "k", 100);
  const std::filesystem::path oldest = segment_files(directory).front();
  expect_all(process, "k", 100);
  expect_all(other, "k", 100);
  for (int i = 0; process.counted(Counter::segments_reclaimed) == 0; ++i) {
    ASSERT_NO_FATAL_FAILURE(put_one(process, "more", i));
  }
  EXPECT_TRUE(std::filesystem::exists(oldest)) << "the other one maps it";
  fill(other, "other", 1);
  EXPECT_FALSE(std::filesystem::exists(oldest));
}

TEST(Reclaimer, IsNotStoppedBySegmentsThatAreOverWhileProcessesHoldThem) {
  const Directory directory;
  Process process(directory, k_limit);
  std::vector<std::unique_ptr<Process>> others;
  const std::int64_t soon_ms = base::wall_ms() + 100;
  for (int i = 0; i < 5; ++i) {
    others.push_back(std::make_unique<Process>(directory, k_limit));
    ASSERT_EQ(others.back()->put(Key{"other", i}, "v", soon_ms), Put::stored);
  }
  fill(process, "k", 145);
  wait_until(soon_ms + 1000);
  ASSERT_EQ(process.counted(Counter::segments_reclaimed), 0u);
  process.store->maintain();
  EXPECT_GT(process.counted(Counter::segments_reclaimed), 0u);
}

TEST(Reclaimer, WritesAtMostAThirdOfWhatIsPutOnceMore) {
  const Directory directory;
  Process process(directory, k_limit);
  for (int i = 0; i < 1500; ++i) {
    const std::size_t size = i % 3 == 0 ? 70'000 : 20'000;
    ASSERT_EQ(put(process, Key{"k", i}, noise(size, 1), costing(k_second)), Put::stored);
    use(process, Key{"k", i});
    if (i % 7 == 0) process.store->maintain();
    ASSERT_LE(process.store->usage().bytes, k_limit);
    ASSERT_LE(3 * process.counted(Counter::reinserted_bytes), process.counted(Counter::stored_bytes));
  }
  EXPECT_GT(process.counted(Counter::reinserted), 100u);
  EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
  process.store->check();
}

TEST(Reclaimer, KeepsRoomFreeSoThatAPutFindsIt) {
  const Directory directory;
  Process process(directory, k_limit);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(100'000, 1)), Put::stored);
  process.store->maintain();
  EXPECT_LE(process.store->usage().bytes + 2 * k_mib, k_limit);
}

TEST(Reclaimer, WhatItWroteOnceMoreIsOnDiskBeforeTheOriginalGoes) {
  const Directory directory;
  Process process(directory, k_limit);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(put(process, Key{"k", i}, noise(10'000, 1), costing(k_second)), Put::stored);
    use(process, Key{"k", i});
  }
  int moved = 0;
  int synced = 0;
  int unsynced_when_freed = 0;
  {
    Twin twin;
    twin.refuse = [&](os::Call call, const std::string& path) {
      if (call == os::Call::sync && path.ends_with(".seg")) synced = moved;
      return 0;
    };
    twin.at = [&](std::string_view point) {
      if (point == "store.move.moved") ++moved;
      if (point == "store.reclaim.cleared" && synced != moved) ++unsynced_when_freed;
    };
    press(process, 24);
  }
  EXPECT_GE(moved, 20);
  EXPECT_EQ(unsynced_when_freed, 0);
}

TEST(Reclaimer, OneAtATimeAndOthersDoNotWait) {
  const Directory directory;
  Process process(directory, k_limit);
  Process other(directory, k_limit);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(100'000, 1)), Put::stored);
  Twin twin;
  int times = 0;
  std::uint64_t reclaimed_by_other = 0;
  twin.at = [&](std::string_view reached) {
    if (reached != "store.reclaim.noted" || ++times != 1) return;
    const std::uint64_t before = other.counted(Counter::segments_reclaimed);
    other.store->maintain();
    reclaimed_by_other += other.counted(Counter::segments_reclaimed) - before;
  };
  process.store->maintain();
  EXPECT_GE(times, 1);
  EXPECT_EQ(reclaimed_by_other, 0u);
}

// --- compact ---

// A segment of which much is dead, and that nobody appends to.
std::vector<Key> half_dead(Process& process) {
  std::vector<Key> living;
  for (int i = 0; i < 8; ++i) {
    const Key key{"k", i};
    EXPECT_EQ(put(process, key, noise(60'000, static_cast<std::uint64_t>(i)), costing(k_second)), Put::stored);
    if (i % 2 == 0) living.push_back(key);
  }
  for (int i = 1; i < 8; i += 2) EXPECT_TRUE(process.store->remove(Key{"k", i}));
  return living;
}

std::optional<std::string> value_of(int i) {
  return noise(60'000, static_cast<std::uint64_t>(i));
}

TEST(Compact, FreesWhatIsDeadAndLosesNothing) {
  const Directory directory;
  Process process(directory, 64 * k_mib);
  for (int i = 0; i < 400; ++i) ASSERT_EQ(process.put(Key{"k", i}, noise(60'000, 1)), Put::stored);
  ASSERT_EQ(process.put(Key{"large"}, noise(5 * k_mib, 1)), Put::stored);
  ASSERT_EQ(process.put(Key{"large and dead"}, noise(5 * k_mib, 1)), Put::stored);
  for (int i = 0; i < 400; i += 2) ASSERT_TRUE(process.store->remove(Key{"k", i}));
  process.store->remove(Key{"large and dead"});
  const std::uint64_t before = process.store->usage().bytes;
  std::uint64_t last = 0;
  const Compacted done = process.store->compact([&](std::uint64_t bytes, std::uint64_t all) {
    EXPECT_GE(bytes, last);
    EXPECT_LE(bytes, all);
    last = bytes;
  });
  EXPECT_GT(last, 20 * k_mib);
  EXPECT_GT(done.segments, 5u);
  EXPECT_EQ(done.records, 200u);
  EXPECT_LE(process.store->usage().bytes + done.bytes_freed, before + done.bytes_rewritten + 4 * k_mib);
  EXPECT_LE(process.store->usage().bytes + 14 * k_mib, before);
  const auto all_there = [&] {
    for (int i = 0; i < 400; ++i) EXPECT_EQ(process.get(Key{"k", i}).has_value(), i % 2 == 1) << i;
    EXPECT_TRUE(process.get(Key{"large"}) == noise(5 * k_mib, 1));
  };
  all_there();
  EXPECT_EQ(process.store->compact().segments, 0u) << "once is enough";
  process.store->check();
  restart(directory, process);
  all_there();
}

TEST(Compact, KeepsWhatARecordSays) {
  const Directory directory;
  Process process(directory);
  const TagId tag = tag_id("t");
  const Stamps stamps{process.store->tags().moment(), {tag, tag_id("u")}};
  ASSERT_EQ(put(process, Key{"k"}, "value", {"type", 17, 18, 1'000'000, stamps, 99}), Put::stored);
  ASSERT_EQ(process.put(Key{"dead"}, noise(10'000, 1)), Put::stored);
  process.store->remove(Key{"dead"});
  // As of then it has not expired; as of now it has, and would be left behind.
  ASSERT_EQ(put(process, Key{"k"}, "value", {"type", 17, 18, k_no_expiry - 1, stamps, 99}), Put::stored);
  ASSERT_EQ(process.store->compact().records, 1u);
  const Lookup lookup = process.store->get(Key{"k"});
  ASSERT_TRUE(lookup.found);
  EXPECT_EQ(Process::text(lookup.found->value), "value");
  EXPECT_EQ(lookup.found->meta.type, "type");
  EXPECT_EQ(lookup.found->meta.cost_ns, 17u);
  EXPECT_EQ(lookup.found->meta.created_ms, 18);
  EXPECT_EQ(lookup.found->meta.expires_ms, k_no_expiry - 1);
  EXPECT_EQ(lookup.found->meta.stamps.tags, stamps.tags);
  EXPECT_EQ(lookup.found->meta.raw_bytes, 99u);
  process.store->invalidate(tag);
  EXPECT_EQ(process.store->get(Key{"k"}).miss, Miss::invalidated);
}

TEST(Compact, LeavesDamageBehind) {
  const Directory directory;
  Process process(directory);
  const std::vector<Key> living = half_dead(process);
  const std::filesystem::path segment = segment_files(directory).at(0);
  flip(segment, 30'000);
  EXPECT_EQ(process.store->compact().records, living.size() - 1);
  EXPECT_EQ(process.counted(Counter::fault_damaged_record), 1u);
  EXPECT_EQ(process.get(living[0]), std::nullopt);
  EXPECT_EQ(process.get(living[1]), value_of(2));
  EXPECT_EQ(verify(directory.path()).value().damaged.size(), 0u);
}

TEST(Compact, WithoutRoomLeavesEverythingAsItIs) {
  const Directory directory;
  Process process(directory, k_limit);
  const std::vector<Key> living = half_dead(process);
  process.reopen();
  ASSERT_EQ(process.put(Key{"elsewhere"}, noise(200'000, 1)), Put::stored);
  ASSERT_EQ(process.store->usage().segments, 1u);
  process.store.reset();
  const Control control = Control::open(directory.files()).value();
  process.open();
  control.page().limit = process.store->usage().bytes;
  EXPECT_EQ(process.store->compact().records, 0u);
  for (std::size_t i = 0; i < living.size(); ++i) EXPECT_EQ(process.get(living[i]), value_of(2 * static_cast<int>(i)));
}

TEST(Compact, KilledOverASegmentThatCouldBeAppendedToNothingIsAppendedToItAfterwards) {
  const Directory directory;
  Process process(directory, k_limit);
  half_dead(process);
  process.store.reset();
  die_at("store.reclaim.noted", directory, [](Process& dying) { dying.store->compact(); });
  process.open();
  ASSERT_EQ(process.put(Key{"new"}, "value"), Put::stored);
  restart(directory, process);
  EXPECT_EQ(process.get(Key{"new"}), "value");
}

TEST(Compact, AViewThatIsHeldStaysWhole) {
  const Directory directory;
  Process process(directory);
  const std::vector<Key> living = half_dead(process);
  const Lookup held = process.store->get(living[1]);
  ASSERT_TRUE(held.found);
  EXPECT_EQ(process.store->compact().segments, 1u);
  EXPECT_EQ(Process::text(held.found->value), value_of(2));
  EXPECT_EQ(process.get(living[1]), value_of(2));
}

// --- interrupted ---

constexpr std::string_view k_points[] = {"store.reclaim.noted",   "store.move.announced",   "store.append.before_write",
                                         "store.append.written",  "store.append.committed", "store.move.moved",
                                         "store.reclaim.cleared", "store.reclaim.retired",  "store.reclaim.unlinked",
                                         "store.reclaim.freed"};

// What may happen to a key while it is moved.
enum class Change : std::uint8_t { remove, put, evict_and_remove, evict_and_put };

void change(const Directory& directory, Process& process, const Key& key, Change what) {
  if (what == Change::evict_and_remove || what == Change::evict_and_put) {
    // Of full buckets the slot goes whose segment is the oldest: the others lead to the newest one.
    ASSERT_EQ(process.put(Key{"bystander", key.text()}, noise(300'000, 1)), Put::stored);
    const Control control = Control::open(directory.files()).value();
    const auto newest = std::ranges::max_element(control.segments(), {}, [](const SegmentEntry& entry) {
      return entry.kind.load() == SegmentKind::single ? entry.id.load() : 0;
    });
    const auto slot = static_cast<std::uint32_t>(newest - control.segments().begin());
    fill_buckets(directory, key, {slot, sizeof(SegmentHeader)});
    process.put(neighbor_of(directory, key), "x");
    EXPECT_EQ(process.get(key), std::nullopt) << "it was evicted";
  }
  if (what == Change::remove || what == Change::evict_and_remove) {
    process.store->remove(key);
  } else {
    process.put(key, "new");
  }
}

class Interrupted : public testing::TestWithParam<std::tuple<std::string_view, Change>> {};

TEST_P(Interrupted, WhatIsChangedMeanwhileStaysChanged) {
  const auto [point, what] = GetParam();
  const Directory directory;
  Process process(directory, k_limit);
  Process other(directory, k_limit);
  const Key key = half_dead(process)[1];
  // Under the budget lock nobody else gets room; of the steps for each record, those of the key.
  const bool under_lock =
      point.starts_with("store.reclaim.") && point != k_points[0] && point != "store.reclaim.cleared";
  int countdown = point.starts_with("store.reclaim.") ? 1 : 2;
  {
    Twin twin;
    twin.at = [&](std::string_view reached) {
      if (reached == point && !under_lock && --countdown == 0) change(directory, other, key, what);
    };
    process.store->compact();
  }
  if (under_lock) change(directory, other, key, what);
  const bool put = what == Change::put || what == Change::evict_and_put;
  const std::optional<std::string> expected = put ? std::optional<std::string>("new") : std::nullopt;
  EXPECT_EQ(process.get(key), expected);
  EXPECT_EQ(other.get(key), expected);
  other.store.reset();
  restart(directory, process);
  EXPECT_EQ(process.get(key), expected);
}

TEST_P(Interrupted, KilledThereAndTheKeyChangedTheOldValueDoesNotComeBack) {
  const auto [point, what] = GetParam();
  const Directory directory;
  Process process(directory, k_limit);
  const std::vector<Key> living = half_dead(process);
  process.store.reset();
  die_at(point, directory, [&](Process& dying) { dying.store->compact(); });
  process.open();
  for (std::size_t i = 0; i < living.size(); ++i) {
    EXPECT_EQ(process.get(living[i]), value_of(2 * static_cast<int>(i))) << "until the machine restarts";
  }
  // The power will take what is written from here on.
  std::map<std::uint64_t, std::uint64_t> committed;
  const Control control = Control::open(directory.files()).value();
  for (const SegmentEntry& entry : control.segments()) {
    if (entry.id.load() != 0) committed[entry.id.load()] = entry.committed.load();
  }
  for (const Key& key : living) change(directory, process, key, what);
  process.store->sync();
  process.store->compact();
  process.store.reset();
  for (const std::filesystem::path& file : segment_files(directory)) {
    const auto before = committed.find(segment_id_of(file.filename().string()).value());
    if (before == committed.end()) {
      std::filesystem::remove(file);
    } else if (std::filesystem::file_size(file) > before->second) {
      std::filesystem::resize_file(file, before->second);
    }
  }
  reboot(directory);
  process.open();
  for (const Key& key : living) {
    const std::optional<std::string> found = process.get(key);
    EXPECT_TRUE(!found || *found == "new") << key.text();
  }
}

TEST_P(Interrupted, KilledThereTheNextOneDoesTheRest) {
  const auto [point, what] = GetParam();
  if (what != Change::remove) return;
  const Directory directory;
  Process process(directory, k_limit);
  const std::vector<Key> living = half_dead(process);
  process.store.reset();
  die_at(point, directory, [&](Process& dying) { dying.store->compact(); });
  process.open();
  process.store->compact();
  const auto all_there = [&] {
    for (std::size_t i = 0; i < living.size(); ++i) {
      EXPECT_EQ(process.get(living[i]), value_of(2 * static_cast<int>(i)));
    }
  };
  all_there();
  process.store->check();
  EXPECT_EQ(check(directory.path()).value(), std::vector<std::string>{});
  restart(directory, process);
  all_there();
}

INSTANTIATE_TEST_SUITE_P(Reclaimer, Interrupted,
                         testing::Combine(testing::ValuesIn(k_points),
                                          testing::Values(Change::remove, Change::put, Change::evict_and_remove,
                                                          Change::evict_and_put)));

TEST(Reclaimer, ACopyThatNoSlotLedToYetDoesNotComeBackWhenItsOriginalWasReclaimed) {
  const Directory directory;
  Process process(directory, k_limit);
  const Key key = half_dead(process)[0];
  process.store.reset();
  die_at("store.append.committed", directory, [](Process& dying) { dying.store->compact(); });
  process.open();
  // Large values only: nobody goes on in the segment that the killed one appended to.
  const std::string large = noise(300'000, 1);
  for (int i = 0; process.get(key); ++i) ASSERT_EQ(process.put(Key{"filler", i}, large), Put::stored);
  ASSERT_EQ(process.put(key, large), Put::stored);
  process.store.reset();
  std::filesystem::remove(segment_files(directory).back());  // the power takes it
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(key), std::nullopt);
}

TEST(Reclaimer, ARecordThatWasEvictedWhileItWasCopiedDoesNotComeBackByItsCopy) {
  const Directory directory;
  Process process(directory, k_limit);
  const Key key = half_dead(process)[0];
  process.store.reset();
  die_at("store.append.committed", directory, [&](Process& dying) {
    Process other(directory, k_limit);
    Twin twin;
    enum { before, meanwhile, after } changed = before;
    twin.at = [&](std::string_view reached) {
      if (reached == "store.append.written" && changed == before) {
        changed = meanwhile;
        change(directory, other, key, Change::evict_and_put);
        changed = after;
      }
      if (reached == "store.append.committed" && changed == after) ::raise(SIGKILL);
    };
    dying.store->compact();
  });
  // The power takes what the other one put; the first two segments are the old one and that of the copy.
  std::vector<std::filesystem::path> files = segment_files(directory);
  ASSERT_GT(files.size(), 3u);
  for (std::size_t i = 2; i < files.size(); ++i) std::filesystem::remove(files[i]);
  reboot(directory);
  process.open();
  EXPECT_EQ(process.get(key), std::nullopt);
}

TEST(Reclaimer, ARemovalHoldsIfItsNoteWasDroppedBeforeTheRecordWasMoved) {
  const Directory directory;
  Process process(directory, k_limit);
  process.store.reset();
  process.options.durability = Durability::relaxed;
  process.open();
  const auto used = [&] { return Control::open(directory.files()).value().page().journal_used.load(); };
  const Key key = half_dead(process)[0];
  Process other(directory, k_limit);
  // Until the journal is worth compacting.
  for (int i = 0; i < 1200; ++i) ASSERT_EQ(other.put(Key{"often"}, "x"), Put::stored);
  process.reopen();
  Process third(directory, k_limit);
  Twin twin;
  bool dropped = false;
  twin.at = [&](std::string_view reached) {
    if (reached == "store.reclaim.noted" && !dropped) {
      dropped = true;
      const std::uint64_t before = used();
      other.store->maintain();
      EXPECT_LT(used(), before / 2);
    }
    if (reached == "store.remove.written" && !dropped) third.store->compact();
  };
  EXPECT_TRUE(process.store->remove(key));
  EXPECT_TRUE(dropped);
  twin.at = nullptr;
  EXPECT_EQ(process.get(key), std::nullopt);
  other.store.reset();
  third.store.reset();
  restart(directory, process);
  EXPECT_EQ(process.get(key), std::nullopt);
}

TEST(Reclaimer, OfARecordAndItsCopyThatBothSurviveARestartNeitherComesBackAfterARemoval) {
  for (const bool evicted : {false, true}) {
    SCOPED_TRACE(evicted);
    const Directory directory;
    Process process(directory, k_limit);
    const std::vector<Key> living = half_dead(process);
    process.store.reset();
    const std::filesystem::path journal = directory.files().journal(1);
    const std::filesystem::path before = directory.path() / "before";
    std::filesystem::copy_file(journal, before);
    die_at("store.reclaim.retired", directory, [&](Process& dying) { dying.store->compact(); });
    // The power took the note that the old segment is gone.
    std::filesystem::copy_file(before, journal, std::filesystem::copy_options::overwrite_existing);
    reboot(directory);
    process.open();
    for (std::size_t i = 0; i < living.size(); ++i) {
      EXPECT_EQ(process.get(living[i]), value_of(2 * static_cast<int>(i)));
    }
    for (const Key& key : living) change(directory, process, key, evicted ? Change::evict_and_remove : Change::remove);
    restart(directory, process);
    for (const Key& key : living) EXPECT_EQ(process.get(key), std::nullopt);
  }
}

}  // namespace
}  // namespace larder::store
