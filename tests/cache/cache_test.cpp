// The public API over both tiers: what a user sees of hits, misses, options and faults.
#include <gtest/gtest.h>

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <thread>

#include <larder/larder.hpp>

#include "support/sanitizers.hpp"
#include "support/temporary_directory.hpp"

namespace larder {
namespace {

using namespace std::chrono_literals;

class CacheTest : public ::testing::Test {
 protected:
  // A cache on this test's store; a second one sees what the first stored, like another process.
  Cache open(Options options = {}) {
    options.directory = directory_.path();
    if (!options.store) options.store = Size("64MiB");
    Result<Cache> cache = Cache::open(options);
    if (!cache) throw Error(cache.error());
    return *std::move(cache);
  }
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  test::TemporaryDirectory directory_;
};

TEST_F(CacheTest, AValueIsComputedOnceAndThenFoundInMemoryAndInTheStore) {
  int computations = 0;
  const auto compute = [&] {
    ++computations;
    std::this_thread::sleep_for(5ms);
    return std::vector<double>{1, 2, 3};
  };
  {
    Cache cache = open();
    EXPECT_EQ(cache.get_or_compute(Key{"v"}, compute).source(), Tier::computed);
    const Ref<std::vector<double>> again = cache.get_or_compute(Key{"v"}, compute);
    EXPECT_EQ(again.source(), Tier::memory);
    EXPECT_GE(again.saved(), 5ms);
    EXPECT_EQ(again.saved(), again.cost());
  }  // closing writes back
  Cache cache = open();
  const Ref<std::vector<double>> stored = cache.get_or_compute(Key{"v"}, compute);
  EXPECT_EQ(stored.source(), Tier::store);
  EXPECT_EQ(*stored, (std::vector<double>{1, 2, 3}));
  EXPECT_GE(stored.cost(), 5ms);
  EXPECT_EQ(cache.get_or_compute(Key{"v"}, compute).source(), Tier::memory) << "a store hit is promoted";
  EXPECT_EQ(computations, 1);
}

TEST_F(CacheTest, AViewOfALargeStoredValueIsNotCopied) {
  const std::size_t count = 1 << 20;
  {
    Cache cache = open();
    const auto computed = cache.get_or_compute<std::span<const std::uint64_t>>(Key{"big"}, [&] {
      std::vector<std::uint64_t> numbers(count);
      for (std::size_t i = 0; i < count; ++i) numbers[i] = i * i;
      return numbers;
    });
    EXPECT_EQ(computed->size(), count);
  }
  Cache cache = open();
  const auto one = cache.get<std::span<const std::uint64_t>>(Key{"big"});
  const auto two = cache.get<std::span<const std::uint64_t>>(Key{"big"});
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->source(), Tier::store);
  EXPECT_EQ((*one)->data(), (*two)->data()) << "two hits see the same mapped bytes";
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*one)->data()) % 4096, 0U);
  EXPECT_EQ((**one)[count - 1], (count - 1) * (count - 1));
  cache.remove(Key{"big"});
  EXPECT_FALSE(cache.contains(Key{"big"}));
  EXPECT_EQ((**one)[12345], 12345ULL * 12345) << "a handle outlives the removal of its entry";
}

TEST_F(CacheTest, AVectorThatWasPutCanBeReadAsASpanAndTheOtherWayRound) {
  Cache cache = open();
  cache.put(Key{"v"}, std::vector<float>{1.5F, 2.5F});
  EXPECT_EQ((**cache.get<std::span<const float>>(Key{"v"}))[1], 2.5F);
  cache.put<std::span<const float>>(Key{"s"}, std::vector<float>{3.5F});
  EXPECT_EQ((**cache.get<std::vector<float>>(Key{"s"})), std::vector<float>{3.5F});
}

TEST_F(CacheTest, AskingForAnotherTypeThanWasStoredIsAnErrorInEveryTier) {
  {
    Cache cache = open();
    cache.put(Key{"n"}, 42);
    EXPECT_THROW((void)cache.get<std::string>(Key{"n"}), Error);
  }
  Cache cache = open();
  try {
    (void)cache.get<std::string>(Key{"n"});
    FAIL() << "an int was returned as a string";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::type_mismatch);
    EXPECT_NE(std::string(error.what()).find('n'), std::string::npos);
    EXPECT_FALSE(error.help().empty());
  }
  EXPECT_EQ(**cache.get<int>(Key{"n"}), 42) << "the entry is untouched";
}

TEST_F(CacheTest, NothingIsAValue) {
  Cache cache = open();
  const auto none = [] { return std::optional<int>(); };
  EXPECT_EQ(cache.get_or_compute(Key{"none"}, none).source(), Tier::computed);
  EXPECT_EQ(cache.get_or_compute(Key{"none"}, none).source(), Tier::memory);
  cache.put(Key{"empty"}, std::string());
  EXPECT_TRUE(cache.get<std::string>(Key{"empty"}));
}

TEST_F(CacheTest, TtlCountsFromTheEndOfTheComputation) {
  Cache cache = open();
  // A machine that is too busy to ask within the TTL gets a longer one.
  for (std::chrono::milliseconds ttl = 100ms;; ttl *= 2) {
    int computations = 0;
    std::chrono::steady_clock::time_point computed;
    const auto slow = [&] {
      std::this_thread::sleep_for(ttl + 20ms);
      computed = std::chrono::steady_clock::now();
      return ++computations;
    };
    const Key key{"t", ttl.count()};
    const EntryOptions options{.ttl = ttl};
    EXPECT_EQ(*cache.get_or_compute(key, slow, options), 1);
    const std::optional<Ref<int>> young = cache.get<int>(key);
    if (std::chrono::steady_clock::now() - computed >= ttl) continue;
    ASSERT_TRUE(young) << "it was born fresh, though it took longer than its TTL";
    std::this_thread::sleep_for(ttl + 50ms);
    EXPECT_FALSE(cache.get<int>(key));
    EXPECT_EQ(*cache.get_or_compute(key, slow, options), 2);
    return;
  }
}

TEST_F(CacheTest, ALookupOfAnExpiredEntryIsCountedAsThatOnce) {
  for (Cache cache : {open(), Cache::open({.store = 0}).value()}) {
    for (int i = 0; i < 2; ++i) cache.put(Key{"k", i}, i, {.ttl = 1ms});
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(*cache.get_or_compute(Key{"k", 0}, [] { return 5; }), 5);
    EXPECT_FALSE(cache.get<int>(Key{"k", 1}));
    EXPECT_EQ(cache.stats()[Counter::miss_expired], 2U);
    EXPECT_EQ(cache.stats()[Counter::miss_absent], 0U);
  }
}

TEST_F(CacheTest, TtlHoldsInTheStoreToo) {
  {
    Cache cache = open();
    cache.put(Key{"t"}, 1, {.ttl = 50ms});
    cache.put(Key{"stays"}, 1, {.ttl = "1d12h"});
  }
  std::this_thread::sleep_for(80ms);
  Cache cache = open();
  EXPECT_FALSE(cache.get<int>(Key{"t"}));
  EXPECT_TRUE(cache.get<int>(Key{"stays"}));
}

TEST_F(CacheTest, StoreIfDecidesAndTheValueIsReturnedAllTheSame) {
  Cache cache = open();
  const EntryOptions only_even{.store_if = [](const int& n) { return n % 2 == 0; }};
  EXPECT_EQ(*cache.get_or_compute(
                Key{"odd"}, [] { return 3; }, only_even),
            3);
  EXPECT_FALSE(cache.contains(Key{"odd"}));
  EXPECT_EQ(*cache.get_or_compute(
                Key{"even"}, [] { return 4; }, only_even),
            4);
  EXPECT_TRUE(cache.contains(Key{"even"}));
  EXPECT_EQ(cache.stats()[Counter::not_stored_predicate], 1U);
}

TEST_F(CacheTest, AnEmptyFunctionAsStoreIfIsNone) {
  Cache cache = open();
  EXPECT_EQ(*cache.get_or_compute(Key{"k"}, [] { return 1; }, {.store_if = std::function<bool(const int&)>()}), 1);
  EXPECT_TRUE(cache.contains(Key{"k"}));
}

TEST_F(CacheTest, WhatIsRemovedOrClearedWhileItIsComputedIsCountedAsSuperseded) {
  Cache cache = open();
  cache.get_or_compute(Key{"a"}, [&] { return cache.remove(Key{"a"}), 1; });
  EXPECT_EQ(cache.stats()[Counter::not_stored_superseded], 1U);
  cache.get_or_compute(Key{"b"}, [&] { return cache.clear(), 1; });
  EXPECT_EQ(cache.stats()[Counter::not_stored_superseded], 2U);
  open().clear();
  Cache other = open();
  cache.get_or_compute(Key{"c"}, [&] { return other.clear(), 1; });
  EXPECT_EQ(cache.stats()[Counter::not_stored_superseded], 3U);
  EXPECT_EQ(cache.entries().size(), 0U);
}

TEST_F(CacheTest, AViewWeighsWhatItsOwnerTakes) {
  Cache cache = Cache::open({.store = 0, .memory = "4MiB"}).value();
  for (int i = 0; i < 20; ++i) {
    cache.get_or_compute<std::span<const char>>(Key{"k", i}, [] {
      std::vector<char> roomy;
      roomy.reserve(1 << 20);
      roomy.resize(10);
      return roomy;
    });
  }
  EXPECT_GT(cache.stats().memory_bytes, 1U << 20);
  EXPECT_LE(cache.stats().memory_entries, 3U);
}

TEST_F(CacheTest, WhatIsPutMayConvertToTheTypeThatIsCached) {
  Cache cache = open();
  cache.put<std::string>(Key{"text"}, "literal");
  cache.put<double>(Key{"number"}, 1.5F);
  cache.put<std::optional<std::span<const int>>>(Key{"view"}, std::vector<int>{1, 2});
  EXPECT_EQ(**cache.get<std::string>(Key{"text"}), "literal");
  EXPECT_EQ(**cache.get<double>(Key{"number"}), 1.5);
  EXPECT_EQ((*cache.get<std::optional<std::span<const int>>>(Key{"view"}))->value()[1], 2);
}

// What refers to memory that is not its own cannot be cached: it would not live as long as the entry.
TEST_F(CacheTest, AViewOfWhatIsNotItsOwnIsRefused) {
  static_assert(detail::is_view<std::span<float>>() && detail::is_view<std::string_view>());
  static_assert(detail::is_view<const char*>() && detail::is_view<char[4]>());
  static_assert(detail::is_view<std::optional<std::span<const int>>>());
  static_assert(!detail::is_view<std::vector<float>>() && !detail::is_view<std::string>());
  static_assert(!detail::is_view<Array>() && !detail::is_view<std::optional<std::string>>());
}

TEST_F(CacheTest, ZeroTtlKeepsNothing) {
  Cache cache = open();
  EXPECT_EQ(*cache.get_or_compute(Key{"z"}, [] { return 3; }, {.ttl = "0"}), 3);
  EXPECT_FALSE(cache.contains(Key{"z"}));
}

TEST_F(CacheTest, CostCanBeSaid) {
  Cache cache = open();
  cache.put(Key{"c"}, 1, {.cost = "1h"});
  EXPECT_EQ(cache.get<int>(Key{"c"})->cost(), 1h);
  EXPECT_EQ(cache.stats().saved(), 1h);
}

TEST_F(CacheTest, UnusableEntryOptionsAreSaidBeforeTheWorkIsDone) {
  Cache cache = open();
  bool worked = false;
  const auto work = [&] { return worked = true; };
  EXPECT_THROW(cache.get_or_compute(Key{"x"}, work, {.ttl = "soon"}), Error);
  EXPECT_FALSE(worked);
  EXPECT_NO_THROW(cache.get_or_compute(Key{"x"}, work));
}

TEST_F(CacheTest, MemoizeRemembersByArguments) {
  Cache cache = open();
  int calls = 0;
  auto add = cache.memoize("add", [&](int a, int b) { return ++calls, a + b; }, {.version = {2}});
  EXPECT_EQ(*add(1, 23), 24);
  EXPECT_EQ(*add(12, 3), 15);
  EXPECT_EQ(*add(1, 23), 24);
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(add.remove(1, 23));
  EXPECT_EQ(*add(1, 23), 24);
  EXPECT_EQ(calls, 3);
}

TEST_F(CacheTest, AnOverwriteIsSeenAtOnceByThisCacheAndByOthers) {
  Cache one = open();
  Cache two = open();
  one.put(Key{"k"}, 1);
  one.flush();
  ASSERT_EQ(**two.get<int>(Key{"k"}), 1);
  ASSERT_EQ(two.get<int>(Key{"k"})->source(), Tier::memory);
  one.put(Key{"k"}, 2);
  EXPECT_EQ(**one.get<int>(Key{"k"}), 2);
  const auto seen = two.get<int>(Key{"k"});
  EXPECT_TRUE(!seen || **seen == 2) << "a miss until it is written, never the old value";
  one.flush();
  EXPECT_EQ(**two.get<int>(Key{"k"}), 2);
}

TEST_F(CacheTest, ARemovalIsSeenAtOnceByOthersThoughTheyHaveItInMemory) {
  Cache one = open();
  Cache two = open();
  one.put(Key{"k"}, 1);
  one.flush();
  ASSERT_TRUE(two.get<int>(Key{"k"}));
  EXPECT_TRUE(one.remove(Key{"k"}));
  EXPECT_FALSE(one.get<int>(Key{"k"}));
  EXPECT_FALSE(two.get<int>(Key{"k"}));
  EXPECT_FALSE(one.remove(Key{"k"}));
}

TEST_F(CacheTest, ClearEmptiesEverything) {
  Cache one = open();
  Cache two = open();
  for (int i = 0; i < 100; ++i) one.put(Key{"k", i}, i);
  one.flush();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(two.get<int>(Key{"k", i}));
  one.clear();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(one.get<int>(Key{"k", i}));
    EXPECT_FALSE(two.get<int>(Key{"k", i}));
  }
  EXPECT_TRUE(one.entries().empty());
  one.put(Key{"after"}, 1);
  EXPECT_TRUE(one.get<int>(Key{"after"})) << "a cleared cache is usable";
}

TEST_F(CacheTest, EntriesAreListedWithWhatIsKnownOfThem) {
  Cache cache = open();
  cache.put(Key{"a", 1}, std::string("text"), {.ttl = "1h", .cost = "2s"});
  cache.flush();
  const std::vector<EntryInfo> entries = cache.entries();
  ASSERT_EQ(entries.size(), 1U) << "one entry, though two tiers hold it";
  EXPECT_EQ(entries[0].key, (Key{"a", 1}));
  EXPECT_EQ(entries[0].tier, Tier::memory);
  EXPECT_EQ(entries[0].cost, 2s);
  ASSERT_TRUE(entries[0].expires);
  EXPECT_GT(*entries[0].expires, std::chrono::system_clock::now() + 59min);
  EXPECT_EQ(open().entries().size(), 1U);
}

TEST_F(CacheTest, OneEntryIsKnownByItsKeyInEveryTierAndToAskIsNoLookup) {
  Cache cache = open({.write = WriteMode::through});
  EXPECT_FALSE(cache.entry(Key{"a"}));
  cache.put(Key{"a"}, std::string("hello"), {.ttl = "1h", .cost = 3s});
  cache.put(Key{"short"}, std::string("hello"), {.ttl = 1ms});
  Cache other = open({.memory = 0});
  for (Cache* one : {&cache, &other}) {
    const std::optional<EntryInfo> entry = one->entry(Key{"a"});
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->key, Key{"a"});
    EXPECT_EQ(entry->tier, one == &cache ? Tier::memory : Tier::store);
    EXPECT_EQ(entry->type, Codec<std::string>::type_name());
    EXPECT_EQ(entry->cost, 3s);
    EXPECT_EQ(entry->expires.value() - entry->created, 1h);
    EXPECT_EQ(one->stats().lookups(), 0U);
  }
  std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(cache.entry(Key{"short"}));
  EXPECT_FALSE(other.entry(Key{"short"}));
  cache.remove(Key{"a"});
  EXPECT_FALSE(cache.entry(Key{"a"}));
  EXPECT_FALSE(other.entry(Key{"a"}));
}

TEST_F(CacheTest, AnEntryThatWaitsToBeWrittenIsKnown) {
  Cache cache = open({.memory = 0, .write = WriteMode::back});
  cache.put(Key{"a"}, std::string("hello"));
  EXPECT_TRUE(cache.entry(Key{"a"}));
}

TEST_F(CacheTest, WriteThroughIsInTheStoreWhenTheCallReturns) {
  Cache cache = open({.write = WriteMode::through});
  EXPECT_EQ(cache.put(Key{"k"}, 1).in_store, PutOutcome::Store::written);
  EXPECT_EQ(open().get<int>(Key{"k"})->source(), Tier::store);
  cache.put(Key{"k"}, 2);
  EXPECT_EQ(**open().get<int>(Key{"k"}), 2);
}

TEST_F(CacheTest, AValueThatDoesNotFitIntoMemoryIsStillKeptByTheStore) {
  Cache cache = open({.memory = "64KiB"});
  EXPECT_FALSE(cache.put(Key{"big"}, std::vector<double>(100'000, 1.0)).in_memory);
  cache.flush();
  EXPECT_EQ(cache.get<std::vector<double>>(Key{"big"})->source(), Tier::store);
}

TEST_F(CacheTest, AnUnusableStoreLeavesAWorkingMemoryCacheThatSaysWhy) {
  std::ofstream(directory() / "file") << "not a directory";
  std::vector<Event> events;
  Options options;
  options.directory = directory() / "file" / "store";
  options.on_event = [&](const Event& event) { events.push_back(event); };
  Cache cache = Cache::open(options).value();
  EXPECT_EQ(*cache.get_or_compute(Key{"k"}, [] { return 1; }), 1);
  EXPECT_EQ(cache.get_or_compute(Key{"k"}, [] { return 1; }).source(), Tier::memory);
  EXPECT_FALSE(cache.stats().degraded.empty());
  EXPECT_EQ(cache.stats()[Counter::miss_degraded], 1U);
  EXPECT_EQ(events.size(), 1U);
}

TEST_F(CacheTest, UnusableOptionsAreNamed) {
  for (const auto& [options, name] :
       std::initializer_list<std::pair<Options, std::string>>{{Options{.memory = "20 gigs"}, "memory"},
                                                              {Options{.store = Size("lots")}, "store"},
                                                              {Options{.memory = -1}, "memory"},
                                                              {Options{.store = Size(-1)}, "store"},
                                                              {Options{.shared = "everybody"}, "shared"},
                                                              {Options{.shared = "group:"}, "shared"},
                                                              {Options{.shared = "user:root"}, "shared"},
                                                              {Options{.shared = "group:no such group"}, "shared"},
                                                              {Options{.queue = "2G"}, "queue"}}) {
    const Result<Cache> cache = Cache::open(options);
    ASSERT_FALSE(cache);
    EXPECT_NE(std::string(cache.error().what()).find(name), std::string::npos) << cache.error().what();
    EXPECT_FALSE(cache.error().help().empty());
  }
}

// A group of this process.
std::string our_group() {
  return std::string("group:") + ::getgrgid(::getegid())->gr_name;
}

TEST_F(CacheTest, AStoreIsUsedByThoseItWasMadeForAndTheOthersAreToldHowToOpenIt) {
  {
    Cache cache = open({.shared = our_group(), .write = WriteMode::through});
    EXPECT_NE(cache.stats().degraded, "") << "the directory is there, and private";
    EXPECT_NE(cache.stats().degraded_help.find("chmod 2770 " + directory().string()), std::string::npos);
  }
  Options options{.directory = directory() / "store", .shared = our_group(), .write = WriteMode::through};
  {
    Cache cache = Cache::open(options).value();
    EXPECT_EQ(cache.stats().degraded, "");
    EXPECT_EQ(cache.put(Key{"k"}, 1).in_store, PutOutcome::Store::written);
  }
  options.shared = "";
  std::vector<Event> events;
  options.on_event = [&](const Event& event) { events.push_back(event); };
  Cache cache = Cache::open(options).value();
  EXPECT_EQ(*cache.get_or_compute(Key{"k"}, [] { return 2; }), 2) << "the caller gets his result";
  EXPECT_EQ(cache.stats()[Counter::fault_permission], 1U);
  const std::string cure = "Options::shared = \"" + our_group() + "\"";
  EXPECT_NE(cache.stats().degraded_help.find(cure), std::string::npos) << cache.stats().degraded_help;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(events[0].text.find(cure), std::string::npos) << events[0].text;
  options.shared = our_group();
  EXPECT_EQ(**Cache::open(options).value().get<int>(Key{"k"}), 1);
}

TEST_F(CacheTest, AForkedChildGoesOnWithTheSharedStore) {
  if (test::k_thread_sanitizer) GTEST_SKIP() << test::k_no_threads_in_child;
  const Options options{.directory = directory() / "store", .shared = our_group(), .write = WriteMode::through};
  Cache cache = Cache::open(options).value();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(cache.put(Key{"k"}, 1).in_store == PutOutcome::Store::written ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(**cache.get<int>(Key{"k"}), 1);
}

TEST_F(CacheTest, WhoIsNotOfTheGroupWorksWithoutTheStoreAndIsToldWhy) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can leave its groups";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(54321) != 0) ::_exit(9);
    const Cache cache = Cache::open({.directory = directory() / "store", .shared = "group:root"}).value();
    const Stats stats = cache.stats();
    const bool told = stats.degraded.find("not in the group `root`") != std::string::npos &&
                      stats.degraded_help.find("usermod -aG root") != std::string::npos;
    ::_exit(told && stats[Counter::fault_permission] == 1 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(std::filesystem::exists(directory() / "store"));
}

TEST_F(CacheTest, TheVariableSaysOfTheDefaultStoreAloneWhoseItIs) {
  const auto mode_of = [](const std::filesystem::path& path) {
    return static_cast<unsigned>(std::filesystem::status(path).permissions());
  };
  ::setenv("LARDER_DIR", (directory() / "default").c_str(), 1);
  ::setenv("LARDER_SHARED", our_group().c_str(), 1);
  const Cache by_default = Cache::open().value();
  const Cache named = Cache::open({.directory = directory() / "named"}).value();
  ::unsetenv("LARDER_SHARED");
  ::unsetenv("LARDER_DIR");
  EXPECT_EQ(by_default.stats().degraded, "");
  EXPECT_EQ(mode_of(directory() / "default"), 02770U);
  EXPECT_EQ(mode_of(directory() / "named"), 0700U);
}

struct Model {
  std::string name;
  std::vector<float> weights;
};

}  // namespace

template <>
struct Codec<Model> {
  static std::string type_name() { return "Model/1"; }
  static void encode(const Model& model, Encoder& out) {
    larder::encode(static_cast<std::uint64_t>(model.name.size()), out);
    out.copy(std::as_bytes(std::span(model.name)));
    larder::encode(static_cast<std::uint64_t>(model.weights.size()), out);
    out.copy(std::as_bytes(std::span(model.weights)));
  }
  static Model decode(Decoder& in) {
    Model model;
    const Bytes name = in.take(in.count(1));
    model.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    const std::uint64_t count = in.count(sizeof(float));
    const Bytes weights = in.take(count * sizeof(float));
    model.weights.resize(count);
    if (count != 0) std::memcpy(model.weights.data(), weights.data(), weights.size());
    return model;
  }
};

namespace {

TEST_F(CacheTest, AUserTypeJoinsByOneSpecialization) {
  open().put(Key{"model"}, Model{"net", {0.5F, 0.25F}});
  const auto model = open().get<Model>(Key{"model"});
  ASSERT_TRUE(model);
  EXPECT_EQ((*model)->name, "net");
  EXPECT_EQ((*model)->weights, (std::vector<float>{0.5F, 0.25F}));
}

TEST_F(CacheTest, AForkedChildOpensAnewAndTheParentGoesOn) {
  if (test::k_thread_sanitizer) GTEST_SKIP() << test::k_no_threads_in_child;
  Cache cache = open();
  cache.put(Key{"before"}, 1);
  cache.flush();
  const Ref<int> handle = *cache.get<int>(Key{"before"});
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool good =
        *handle == 1 && cache.get<int>(Key{"before"}) && *cache.get_or_compute(Key{"child"}, [] { return 2; }) == 2;
    cache.flush();
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(**cache.get<int>(Key{"child"}), 2);
  EXPECT_EQ(*cache.get_or_compute(Key{"after"}, [] { return 3; }), 3);
}

TEST_F(CacheTest, CountersOfAllProcessesAreKeptByTheStore) {
  {
    Cache cache = open();
    cache.put(Key{"k"}, 1, {.cost = "10s"});
    (void)cache.get<int>(Key{"k"});
    (void)cache.get<int>(Key{"absent"});
  }
  Cache cache = open();
  EXPECT_EQ(cache.stats().lookups(), 0U);
  EXPECT_EQ(cache.shared_stats()[Counter::memory_hit], 1U);
  EXPECT_EQ(cache.shared_stats()[Counter::miss_absent], 1U);
  EXPECT_EQ(cache.shared_stats().saved(), 10s);
}

TEST_F(CacheTest, ThreadsMixingEverythingNeverSeeAWrongValue) {
  Cache one = open({.memory = "256KiB"});
  Cache two = open({.memory = "64KiB", .write = WriteMode::through});
  std::atomic<bool> wrong = false;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Cache& cache = t % 2 == 0 ? one : two;
      std::uint64_t random = 88172645463325252ULL + static_cast<std::uint64_t>(t);
      for (int i = 0; i < 2000; ++i) {
        random ^= random << 13U;
        random ^= random >> 7U;
        random ^= random << 17U;
        const int k = static_cast<int>(random % 50);
        const std::string expected(static_cast<std::size_t>(k * 97), static_cast<char>('a' + k % 26));
        switch ((random >> 32U) % 8) {
          case 0:
            cache.remove(Key{"k", k});
            break;
          case 1:
            cache.put(Key{"k", k}, expected);
            break;
          case 2:
            if (const auto got = cache.get<std::string>(Key{"k", k}); got && **got != expected) wrong = true;
            break;
          default:
            if (*cache.get_or_compute(Key{"k", k}, [&] { return expected; }) != expected) wrong = true;
        }
      }
    });
  }
  threads.clear();
  EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace larder
