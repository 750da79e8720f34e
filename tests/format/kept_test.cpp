// Every store that a release has kept is opened as after a restart of the machine, and what was put is found in it,
// what was removed, expired or invalidated is not.
#include <cstdlib>

#include "content.hpp"
#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::test {
namespace {

using store::test::Directory;

template <class T>
void expect_value(Cache& cache, const Key& key, const T& value) {
  const std::optional<Ref<T>> found = cache.get<T>(key);
  ASSERT_TRUE(found) << key.text();
  EXPECT_TRUE(**found == value) << key.text();
}

void expect_text(Cache& cache, const Key& key, const char* text) {
  expect_value<std::string>(cache, key, text);
}

void expect_content(Cache& cache) {
  expect_text(cache, Key("text"), "hello");
  expect_text(cache, Key("empty"), "");
  expect_value<std::int64_t>(cache, Key("integer"), -7);
  expect_value<double>(cache, Key("real"), 0.25);
  expect_value<bool>(cache, Key("flag"), true);
  expect_value<std::vector<std::byte>>(cache, Key("bytes"), {std::byte{0}, std::byte{255}, std::byte{10}});
  expect_value<std::vector<float>>(cache, Key("floats"), {1.5F, -2.0F, 0.0F});
  expect_value<std::optional<std::int64_t>>(cache, Key("nothing"), std::nullopt);
  expect_text(cache, Key("arguments", Version{3}, 4096, "hann", 0.5), "of a call");
  expect_value(cache, Key("array"), kept_array());
  expect_value(cache, Key("numbers"), kept_numbers());
  for (std::int64_t i = 0; i < k_kept_pages; ++i) expect_value(cache, Key("page", i), kept_page(i));

  expect_text(cache, Key("overwritten"), "newer");
  expect_text(cache, Key("removed and put again"), "newer");
  expect_text(cache, Key("tagged"), "here");
  expect_text(cache, Key("put after its tag was invalidated"), "here");
  for (const char* gone : {"removed", "expired", "invalidated"}) {
    EXPECT_FALSE(cache.get<std::string>(Key(gone))) << gone;
  }

  const std::optional<EntryInfo> text = cache.entry(Key("text"));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->type, "text");
  EXPECT_EQ(text->cost, std::chrono::milliseconds(1500));
  EXPECT_LT(text->created, std::chrono::system_clock::now());
  EXPECT_EQ(cache.entries().size(), 15u + static_cast<std::size_t>(k_kept_pages));
}

// REQUIRES: the machine has restarted since the store was made.
void expect_store(const std::filesystem::path& directory) {
  {
    Cache cache = Cache::open(kept_options(directory)).value();
    expect_content(cache);
    EXPECT_EQ(cache.stats()[Counter::rebuilt], 1u);
    EXPECT_EQ(cache.stats()[Counter::fault_damaged_record] + cache.stats()[Counter::fault_damaged_file], 0u);
  }
  EXPECT_EQ(store::verify(directory).value().damaged.size(), 0u);
  EXPECT_EQ(store::check(directory).value(), std::vector<std::string>{});
  Cache cache = Cache::open(kept_options(directory)).value();
  expect_content(cache);
  EXPECT_EQ(cache.stats()[Counter::rebuilt], 0u);
  cache.invalidate("kept");
  EXPECT_FALSE(cache.get<std::string>(Key("tagged"))) << "its tags are what they were";
  cache.put(Key("removed"), std::string("here again"));
  expect_text(cache, Key("removed"), "here again");
}

std::vector<std::string> kept() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(LARDER_KEPT)) {
    if (entry.path().extension() == ".gz") names.push_back(entry.path().filename().string());
  }
  return names;
}

class Kept : public ::testing::TestWithParam<std::string> {};

TEST_P(Kept, AStoreOfAReleaseHoldsWhatWasPutAndNothingThatWentAgain) {
  const Directory directory;
  const std::string unpack =
      "tar -xz --no-same-owner -f '" LARDER_KEPT "/" + GetParam() + "' -C '" + directory.path().string() + "'";
  ASSERT_EQ(std::system(unpack.c_str()), 0);
  expect_store(directory.path());
}

INSTANTIATE_TEST_SUITE_P(Release, Kept, ::testing::ValuesIn(kept()), [](const auto& release) {
  std::string name = release.param;
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
});

TEST(KeptStore, OfThisReleaseWouldHoldThat) {
  const Directory directory;
  ASSERT_EQ(std::system(("'" LARDER_MAKE_KEPT_STORE "' '" + directory.path().string() + "'").c_str()), 0);
  store::test::reboot(directory);
  expect_store(directory.path());
}

}  // namespace
}  // namespace larder::test
