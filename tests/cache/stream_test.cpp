// Values in parts, through the public API.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <thread>

#include <larder/larder.hpp>

#include "os/os.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_directory.hpp"

namespace larder {
namespace {

using Blob = std::vector<std::byte>;

constexpr std::size_t k_mib = std::size_t{1} << 20;

Blob noise(std::size_t bytes, std::uint64_t seed) {
  Blob blob(bytes);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (std::byte& byte : blob) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::byte>(state >> 32);
  }
  return blob;
}

class StreamTest : public ::testing::Test {
 protected:
  Cache open(Options options = {}) {
    options.directory = directory_.path();
    if (!options.store) options.store = Size("64MiB");
    return Cache::open(options).value();
  }
  Cache memory_only() { return open({.store = Size(0)}); }

  test::TemporaryDirectory directory_;
};

PutOutcome write(ValueWriter writer, const Blob& value) {
  for (std::size_t at = 0; at < value.size(); at += 700'001) {
    writer.write(std::span(value).subspan(at, std::min<std::size_t>(700'001, value.size() - at)));
  }
  EXPECT_EQ(writer.size(), value.size());
  return writer.publish();
}

std::optional<Blob> read_all(const std::optional<ValueReader>& reader) {
  if (!reader) return std::nullopt;
  Blob blob(reader->size());
  if (reader->read(0, blob).value() != blob.size()) return std::nullopt;
  return blob;
}

// Around where bytes are aligned otherwise, where chunks end, and where a value has a file of its own (1 MiB here).
const std::vector<std::size_t> k_sizes = {0,
                                          1,
                                          4095,
                                          4096,
                                          65'535,
                                          65'536,
                                          k_mib - 4097,
                                          k_mib - 4096,
                                          k_mib - 4095,
                                          k_mib,
                                          2 * k_mib,
                                          3 * k_mib - 4096,
                                          3 * k_mib + 1,
                                          6 * k_mib + 5};

TEST_F(StreamTest, WhatIsWrittenInPiecesIsWhatGetReturnsAndWhatIsPutIsWhatAReaderReads) {
  for (const bool store : {true, false}) {
    Cache cache = store ? open() : memory_only();
    for (const std::size_t size : k_sizes) {
      SCOPED_TRACE(testing::Message() << size << (store ? "" : ", no store"));
      const Blob value = noise(size, size + 1);
      const Key key{"k", size};
      write(cache.writer(key), value);
      const auto found = cache.get<Blob>(key);
      ASSERT_TRUE(found);
      EXPECT_TRUE(**found == value);
      const auto reader = cache.reader(key);
      ASSERT_TRUE(reader);
      EXPECT_EQ(reader->type(), "byte[]");
      EXPECT_TRUE(read_all(reader) == value);
      const Key put{"put", size};
      cache.put(put, value);
      EXPECT_TRUE(read_all(cache.reader(put)) == value);
      cache.flush();
      EXPECT_TRUE(read_all(cache.reader(put)) == value);
    }
  }
}

TEST_F(StreamTest, ALargeValueGoesToTheStoreAndASmallOneWhereOthersGo) {
  Cache cache = open();
  const PutOutcome large = write(cache.writer(Key{"large"}), noise(5 * k_mib, 1));
  EXPECT_EQ(large.in_store, PutOutcome::Store::written);
  EXPECT_FALSE(large.in_memory);
  EXPECT_EQ(cache.reader(Key{"large"})->source(), Tier::store);
  const PutOutcome small = write(cache.writer(Key{"small"}), noise(100, 1));
  EXPECT_EQ(small.in_store, PutOutcome::Store::queued);
  EXPECT_TRUE(small.in_memory);
  EXPECT_EQ(cache.reader(Key{"small"})->source(), Tier::memory);
}

TEST_F(StreamTest, AReaderReadsTextsAndTheEncodedFormOfEverythingElse) {
  Cache cache = open();
  const std::string text(70'000, 't');
  cache.put(Key{"text"}, text);
  cache.put(Key{"number"}, 7.5);
  for (int round = 0; round < 2; ++round) {
    const auto reader = cache.reader(Key{"text"});
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->type(), "text");
    EXPECT_EQ(reader->size(), text.size());
    const auto number = cache.reader(Key{"number"});
    ASSERT_EQ(number->size(), sizeof(double));
    double value = 0;
    EXPECT_EQ(number->read(0, std::as_writable_bytes(std::span(&value, 1))).value(), sizeof value);
    EXPECT_EQ(value, 7.5);
    cache.flush();
    cache = open({.memory = Size(0)});
  }
}

TEST_F(StreamTest, AViewIsNoCopyAndStaysWhenTheEntryGoes) {
  Cache cache = open();
  const Blob value = noise(5 * k_mib, 1);
  write(cache.writer(Key{"k"}), value);
  const auto reader = cache.reader(Key{"k"});
  const auto first = reader->view(k_mib, 100).value();
  EXPECT_EQ(reader->view(k_mib + 10, 100).value().data(), first.data() + 10);
  cache.remove(Key{"k"});
  EXPECT_TRUE(std::ranges::equal(reader->view(3 * k_mib, 100).value(), std::span(value).subspan(3 * k_mib, 100)));
  EXPECT_EQ(reader->view(value.size() - 1, 5).value().size(), 1U);
  EXPECT_TRUE(reader->view(value.size(), 5).value().empty());
  EXPECT_FALSE(cache.reader(Key{"k"}));
  EXPECT_EQ(cache.stats()[Counter::miss_absent], 1U);
  EXPECT_EQ(cache.stats()[Counter::store_hit], 1U);
}

TEST_F(StreamTest, NothingIsSeenBeforePublishAndAbandoningChangesNothing) {
  Cache cache = open();
  const Key key{"k"};
  write(cache.writer(key), noise(2 * k_mib, 1));
  {
    ValueWriter writer = cache.writer(key);
    EXPECT_TRUE(writer.write(noise(3 * k_mib, 2)));
    EXPECT_TRUE(read_all(cache.reader(key)) == noise(2 * k_mib, 1));
  }
  EXPECT_TRUE(read_all(cache.reader(key)) == noise(2 * k_mib, 1));
  write(cache.writer(key), noise(3 * k_mib, 3));
  EXPECT_TRUE(read_all(cache.reader(key)) == noise(3 * k_mib, 3)) << "an overwrite";
}

TEST_F(StreamTest, AKeyThatIsPutOrRemovedMeanwhileIsNotWrittenOver) {
  Cache cache = open();
  Cache other = open();
  for (const std::size_t size : {std::size_t{100}, 3 * k_mib}) {
    for (Cache* who : {&cache, &other}) {
      const Key key{"k", size};
      ValueWriter removed = cache.writer(key);
      removed.write(noise(size, 1));
      who->remove(key);
      EXPECT_EQ(removed.publish().in_store, PutOutcome::Store::superseded);
      EXPECT_FALSE(cache.contains(key));
      ValueWriter put = cache.writer(key);
      put.write(noise(size, 1));
      who->put(key, noise(10, 2));
      EXPECT_EQ(put.publish().in_store, PutOutcome::Store::superseded);
      who->flush();
      EXPECT_TRUE(read_all(cache.reader(key)) == noise(10, 2));
    }
  }
}

TEST_F(StreamTest, WhatWasInvalidatedMeanwhileIsNotServed) {
  Cache cache = open();
  for (const std::size_t size : {std::size_t{100}, 3 * k_mib}) {
    const Key key{"k", size};
    write(cache.writer(key, {.tags = {"t"}}), noise(size, 1));
    EXPECT_TRUE(cache.reader(key));
    ValueWriter writer = cache.writer(key, {.tags = {"t"}});
    writer.write(noise(size, 2));
    cache.invalidate("t");
    EXPECT_FALSE(cache.reader(key)) << "the older one";
    writer.publish();
    EXPECT_FALSE(cache.reader(key)) << "the newer one";
  }
}

TEST_F(StreamTest, AValueBeyondTheLimitIsRefusedAndSaidToBe) {
  Cache cache = open({.store = Size("16MiB")});
  cache.put(Key{"k"}, noise(10, 1));
  ValueWriter writer = cache.writer(Key{"k"});
  const Blob piece = noise(k_mib, 2);
  int taken = 0;
  while (writer.write(piece)) ASSERT_LT(++taken, 17);
  EXPECT_FALSE(writer.write(piece));
  EXPECT_EQ(writer.publish().in_store, PutOutcome::Store::refused);
  EXPECT_EQ(cache.stats()[Counter::not_stored_too_large], 1U);
  EXPECT_FALSE(cache.get<Blob>(Key{"k"})) << "the older value must not stand for it";
}

TEST_F(StreamTest, WhatIsNotToBeKeptIsNotKept) {
  Cache cache = open();
  write(cache.writer(Key{"k"}, {.ttl = std::chrono::seconds(0)}), noise(5 * k_mib, 1));
  EXPECT_FALSE(cache.contains(Key{"k"}));
  EXPECT_EQ(cache.stats()[Counter::not_stored_predicate], 1U);
  try {
    (void)cache.writer(Key{"k"}, {.store_if = [](const Blob&) { return true; }});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_option);
  }
}

TEST_F(StreamTest, AClaimIsFulfilledPieceByPieceAndItsWaitersFindTheValue) {
  for (const std::size_t size : {std::size_t{100}, 3 * k_mib}) {
    SCOPED_TRACE(size);
    Cache cache = open();
    const Key key{"claim", size};
    const Blob value = noise(size, 1);
    Claim<Blob> claim = cache.claim<Blob>(key);
    ASSERT_FALSE(claim.ready());
    std::vector<std::jthread> waiters;
    std::atomic<int> right = 0;
    std::atomic<int> computed = 0;
    for (int i = 0; i < 4; ++i) {
      waiters.emplace_back([&] {
        const auto found = cache.get_or_compute(key, [&] {
          ++computed;
          return value;
        });
        right += *found == value;
      });
    }
    EXPECT_EQ(write(claim.writer(), value).in_store,
              size == 100 ? PutOutcome::Store::queued : PutOutcome::Store::written);
    waiters.clear();
    EXPECT_EQ(right, 4);
    EXPECT_EQ(computed, 0);
    EXPECT_EQ(cache.stats()[Counter::computation], 1U);
  }
}

TEST_F(StreamTest, AnAbandonedClaimHandsOverOrFailsWithTheReason) {
  Cache cache = open();
  const Key key{"k"};
  {
    Claim<std::span<const std::byte>> claim = cache.claim<std::span<const std::byte>>(key);
    ValueWriter writer = claim.writer();
    writer.write(noise(3 * k_mib, 1));
  }
  EXPECT_FALSE(cache.claim<Blob>(key).ready()) << "the next one produces it";
  EXPECT_EQ(cache.stats()[Counter::computation_failed], 2U);
  Claim<Blob> claim = cache.claim<Blob>(key);
  try {
    (void)claim.writer({.store_if = [](const Blob&) { return true; }});
    FAIL();
  } catch (const Error&) {
  }
  EXPECT_FALSE(cache.claim<Blob>(key).ready());
}

TEST_F(StreamTest, AnyTypeIsWrittenByItsEncodedFormWithAFrontThatIsKnownAtTheEnd) {
  for (const std::size_t size : {std::size_t{100}, 3 * k_mib}) {
    Cache cache = open();
    const Key key{"text", size};
    Claim<std::string> claim = cache.claim<std::string>(key);
    EncodedWriter writer = claim.encoded_writer(sizeof(std::uint64_t));
    const std::string half(size / 2, 'x');
    writer.write(std::as_bytes(std::span(half)));
    writer.write(std::as_bytes(std::span(half)));
    const std::uint64_t count = 2 * half.size();
    writer.publish(std::as_bytes(std::span(&count, 1)));
    EXPECT_EQ(**cache.get<std::string>(key), half + half);
  }
}

TEST_F(StreamTest, AForkedChildReadsOnAndLeavesTheParentsWriterAlone) {
  if (test::k_thread_sanitizer) GTEST_SKIP() << test::k_no_threads_in_child;
  Cache cache = open();
  const Blob value = noise(5 * k_mib, 1);
  write(cache.writer(Key{"k"}), value);
  const auto reader = cache.reader(Key{"k"});
  ValueWriter writer = cache.writer(Key{"w"});
  writer.write(value);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool reads = read_all(reader) == value;
    const bool refused = !writer.write(value) && writer.publish().in_store == PutOutcome::Store::refused;
    ::_exit(reads && refused ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(writer.publish().in_store, PutOutcome::Store::written);
  EXPECT_TRUE(read_all(cache.reader(Key{"w"})) == value);
}

TEST_F(StreamTest, ADamagedMiBIsAnErrorOfTheReadsThatTouchItAndTheValueIsForgotten) {
  const Blob value = noise(5 * k_mib, 1);
  {
    Cache cache = open();
    write(cache.writer(Key{"k"}), value);
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path() / "v1" / "seg")) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * static_cast<std::streamoff>(k_mib));
    file.put('\0').put('\1').put('\2');
  }
  Cache cache = open({.memory = Size(0), .verification = Verification::always});
  const auto reader = cache.reader(Key{"k"});
  ASSERT_TRUE(reader);
  EXPECT_TRUE(reader->view(0, k_mib));
  const auto bad = reader->view(0, value.size());
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Errc::damaged);
  EXPECT_TRUE(reader->view(4 * k_mib, 100));
  EXPECT_FALSE(cache.reader(Key{"k"}));
  EXPECT_EQ(cache.stats()[Counter::fault_damaged_record], 1U);
  EXPECT_EQ(cache.stats()[Counter::store_hit], 1U);
}

TEST_F(StreamTest, ACompressedValueIsReadInPartsAndOnlyThesePartsAreDecoded) {
  // A text that becomes smaller, and differs from place to place.
  Blob value(9 * k_mib + 4711);
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::byte>('a' + (i / 100 + i / k_mib) % 26);
  for (const Compression compression : {Compression::lz4, Compression::zstd}) {
    open({.compression = compression}).put(Key{"k"}, value);
    Cache cache = open({.memory = Size(0)});
    ASSERT_TRUE(cache.entry(Key{"k"})->compressed_bytes);
    const std::optional<ValueReader> reader = cache.reader(Key{"k"});
    ASSERT_TRUE(reader);
    ASSERT_EQ(reader->size(), value.size());
    for (const std::size_t at : {std::size_t{0}, k_mib - 1, 5 * k_mib + 17, value.size() - 10}) {
      const std::size_t bytes = std::min<std::size_t>(2 * k_mib + 1, value.size() - at);
      const std::span<const std::byte> part = reader->view(at, bytes).value();
      EXPECT_TRUE(std::ranges::equal(part, std::span(value).subspan(at, bytes))) << at;
    }
    EXPECT_EQ(read_all(reader), value);
    EXPECT_EQ(cache.get<Blob>(Key{"k"}).value()->size(), value.size());
  }
}

TEST_F(StreamTest, WhatIsWrittenInPartsIsCompressedWhereThatIsAskedFor) {
  const Blob value(6 * k_mib, std::byte{7});
  {
    Cache cache = open({.compression = Compression::zstd});
    EXPECT_EQ(write(cache.writer(Key{"small"}), value).in_store, PutOutcome::Store::queued);
    const Blob large(70 * k_mib, std::byte{8});
    Cache roomy = open({.store = Size("1GiB"), .compression = Compression::zstd});
    EXPECT_EQ(write(roomy.writer(Key{"large"}), large).in_store, PutOutcome::Store::written);
  }
  Cache cache = open({.store = Size("1GiB"), .memory = Size(0)});
  EXPECT_LT(cache.entry(Key{"small"})->compressed_bytes.value(), value.size() / 100);
  EXPECT_EQ(read_all(cache.reader(Key{"small"})), value);
  EXPECT_FALSE(cache.entry(Key{"large"})->compressed_bytes) << "more than would be held in memory for it";
}

}  // namespace
}  // namespace larder
