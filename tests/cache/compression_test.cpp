// Compressed values from outside: the same values, smaller records, and one decoding for all hits of a process.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <larder/larder.hpp>

#include "codec/sample_values.hpp"
#include "store/store.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_directory.hpp"

namespace larder {
namespace {

using test::curve;
using test::random_bytes;

std::string text(std::size_t length) {
  const std::vector<std::byte> bytes = test::text_bytes(length);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class CompressionTest : public ::testing::Test {
 protected:
  // A cache on this test's store; a second one sees what the first stored, like another process.
  Cache open(Compression compression, Options options = {}) {
    options.directory = directory_.path();
    options.compression = compression;
    if (!options.store) options.store = Size("64MiB");
    return Cache::open(options).value();
  }
  // Stores the value under Key{"v"}, and forgets it.
  template <class T>
  void store(Compression compression, const T& value) {
    Cache cache = open(compression);
    cache.put(Key{"v"}, value);
    cache.flush();
    ASSERT_EQ(cache.stats()[Counter::stored], 1U);
    stored_ = cache.stats();
  }
  const std::filesystem::path& directory() const { return directory_.path(); }

  Stats stored_;  // of the cache that store() used

 private:
  test::TemporaryDirectory directory_;
};

constexpr Compression k_compressions[] = {Compression::lz4, Compression::zstd, Compression::automatic};

TEST_F(CompressionTest, ValuesComeBackAndTakeLessOfTheStore) {
  for (const Compression compression : k_compressions) {
    for (const std::size_t length : {3'000, 300'000, 5'000'000}) {
      store(compression, text(length));
      EXPECT_EQ(stored_[Counter::compressed], 1U);
      EXPECT_LT(stored_[Counter::stored_bytes], length * 3 / 4);
      EXPECT_GT(stored_[Counter::compressed_saved_bytes], length / 4);
      Cache cache = open(Compression::none);
      EXPECT_EQ(**cache.get<std::string>(Key{"v"}), text(length)) << "whoever reads need not say how it was stored";
    }
  }
}

TEST_F(CompressionTest, AValueIsDecodedOnceAndThenFoundInMemory) {
  store(Compression::zstd, curve(100'000));
  Cache cache = open(Compression::none);
  const auto first = cache.get<std::vector<double>>(Key{"v"});
  EXPECT_EQ(first->source(), Tier::store);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cache.get<std::vector<double>>(Key{"v"})->source(), Tier::memory);
  EXPECT_EQ(**first, curve(100'000));
  EXPECT_EQ(cache.stats()[Counter::decompressed], 1U);
}

TEST_F(CompressionTest, AViewIsDecodedOnceIntoAlignedMemoryAndWeighsWhatIsInTheFrame) {
  store(Compression::zstd, curve(100'000));
  Cache cache = open(Compression::none);
  const auto first = cache.get<std::span<const double>>(Key{"v"});
  const auto second = cache.get<std::span<const double>>(Key{"v"});
  EXPECT_EQ(second->source(), Tier::memory);
  EXPECT_EQ((*first)->data(), (*second)->data());
  EXPECT_EQ(cache.stats()[Counter::decompressed], 1U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*first)->data()) % 4096, 0U);
  EXPECT_GE(cache.stats().memory_bytes, 100'000 * sizeof(double));
  cache.remove(Key{"v"});
  const std::vector<double> expected = curve(100'000);
  EXPECT_TRUE(std::ranges::equal(**first, expected)) << "a handle keeps its value, whatever becomes of the entry";
}

TEST_F(CompressionTest, SmallViewsAndArraysComeBackToo) {
  const std::vector<double> numbers(500, 1.5);
  store(Compression::lz4, numbers);
  EXPECT_EQ(stored_[Counter::compressed], 1U);
  EXPECT_TRUE(std::ranges::equal(**open(Compression::none).get<std::span<const double>>(Key{"v"}), numbers));
  const Array array = Array::copy_of(curve(100'000));
  store(Compression::zstd, array);
  EXPECT_EQ(stored_[Counter::compressed], 1U);
  Cache cache = open(Compression::none);
  EXPECT_EQ(**cache.get<Array>(Key{"v"}), array);
  EXPECT_EQ(cache.get<Array>(Key{"v"})->source(), Tier::memory);
  EXPECT_EQ(cache.stats()[Counter::decompressed], 1U);
}

TEST_F(CompressionTest, AValueThatMemoryHasNoRoomForIsDecodedByEveryHit) {
  store(Compression::zstd, curve(100'000));
  Cache cache = open(Compression::none, {.memory = "0"});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(cache.get<std::span<const double>>(Key{"v"})->source(), Tier::store);
  EXPECT_EQ(cache.stats()[Counter::decompressed], 2U);
}

TEST_F(CompressionTest, WhatDoesNotBecomeSmallerStaysAViewOfTheStore) {
  store(Compression::zstd, random_bytes(100'000));
  EXPECT_EQ(stored_[Counter::compressed], 0U);
  EXPECT_EQ(stored_[Counter::compressed_saved_bytes], 0U);
  Cache cache = open(Compression::none);
  const auto first = cache.get<std::span<const std::byte>>(Key{"v"});
  const auto second = cache.get<std::span<const std::byte>>(Key{"v"});
  EXPECT_EQ(second->source(), Tier::store);
  EXPECT_EQ((*first)->data(), (*second)->data());
}

TEST_F(CompressionTest, AnEntryMaySayOtherwiseThanItsCache) {
  Cache cache = open(Compression::zstd);
  cache.put(Key{"raw"}, text(10'000), {.compression = Compression::none});
  cache.flush();
  EXPECT_EQ(cache.stats()[Counter::compressed], 0U);
  Cache other = open(Compression::none);
  static_cast<void>(other.get_or_compute(Key{"small"}, [] { return text(10'000); }, {.compression = Compression::lz4}));
  other.flush();
  EXPECT_EQ(other.stats()[Counter::compressed], 1U);
}

TEST_F(CompressionTest, WrittenThroughItIsCompressedBeforeTheCallReturns) {
  Cache cache = open(Compression::zstd, {.write = WriteMode::through});
  EXPECT_EQ(cache.put(Key{"v"}, text(10'000)).in_store, PutOutcome::Store::written);
  EXPECT_EQ(cache.stats()[Counter::compressed], 1U);
  EXPECT_EQ(**open(Compression::none).get<std::string>(Key{"v"}), text(10'000));
}

TEST_F(CompressionTest, AnEntryTellsBothSizes) {
  store(Compression::zstd, text(10'000));
  Cache cache = open(Compression::none);
  const std::optional<EntryInfo> entry = cache.entry(Key{"v"});
  EXPECT_EQ(entry->bytes, 10'008U) << "with its count";
  ASSERT_TRUE(entry->compressed_bytes);
  EXPECT_LT(*entry->compressed_bytes, 7'500U);
  EXPECT_EQ(cache.entries().at(0).compressed_bytes, entry->compressed_bytes);
  store(Compression::none, text(10'000));
  EXPECT_FALSE(open(Compression::none).entry(Key{"v"})->compressed_bytes);
}

TEST_F(CompressionTest, AnOverwriteAndARemovalAreSeenAsEver) {
  store(Compression::zstd, text(10'000));
  store(Compression::none, text(20'000));
  Cache cache = open(Compression::none);
  EXPECT_EQ(**cache.get<std::string>(Key{"v"}), text(20'000));
  store(Compression::lz4, text(30'000));
  EXPECT_EQ(**cache.get<std::string>(Key{"v"}), text(30'000));
  EXPECT_TRUE(open(Compression::lz4).remove(Key{"v"}));
  EXPECT_FALSE(cache.get<std::string>(Key{"v"}));
}

TEST_F(CompressionTest, WithoutAStoreNothingIsCompressed) {
  Cache cache = open(Compression::zstd, {.store = Size(0)});
  cache.put(Key{"v"}, text(10'000));
  EXPECT_EQ(**cache.get<std::string>(Key{"v"}), text(10'000));
  EXPECT_EQ(cache.stats()[Counter::compressed], 0U);
}

TEST_F(CompressionTest, AnotherProcessReadsIt) {
  if (test::k_thread_sanitizer) GTEST_SKIP() << test::k_no_threads_in_child;
  Cache cache = open(Compression::zstd);
  cache.put(Key{"v"}, text(100'000));
  cache.flush();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto found = cache.get<std::string>(Key{"v"});
    ::_exit(found && **found == text(100'000) && found->source() == Tier::store ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(CompressionTest, ADamagedFrameIsAMissWithACounter) {
  { Cache cache = open(Compression::none); }
  {
    observe::Counters counters;
    const auto store = store::Store::open({.directory = directory(), .limit = {}, .counters = &counters}).value();
    const std::vector<std::byte> nonsense = random_bytes(20'000);
    const Bytes value(nonsense);
    const store::Meta meta{.type = Codec<std::string>::type_name(), .created_ms = 1, .raw_bytes = 100'000};
    ASSERT_EQ(store->put(Key{"v"}, meta, std::span(&value, 1), store->stamp(Key{"v"})), store::Put::stored);
  }
  Cache cache = open(Compression::none);
  EXPECT_FALSE(cache.get<std::string>(Key{"v"}));
  EXPECT_EQ(cache.stats()[Counter::miss_damaged], 1U);
  EXPECT_EQ(cache.stats()[Counter::fault_damaged_record], 1U);
  EXPECT_EQ(*cache.get_or_compute(Key{"v"}, [] { return text(100); }), text(100));
  cache.flush();
  EXPECT_EQ(**open(Compression::none).get<std::string>(Key{"v"}), text(100));
}

}  // namespace
}  // namespace larder
