// Stores of other formats: refused with what to do, and not a byte of them is touched.
#include <larder/larder.hpp>

#include "snapshot.hpp"
#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;
using larder::test::snapshot;

class OtherFormat : public ::testing::Test {
 public:
  OtherFormat() { Process(directory).put(Key{"k"}, "v"); }
  // Changes the store's control page, as a release that knows more would have written it.
  template <class Change>
  void change(const Change& change) {
    const Control control = Control::open(directory.files()).value();
    change(control.page());
    control.page().checksum = control_checksum(control.page());
  }
  // Whoever asks for the store is told these words, and nothing of it is touched.
  void expect_refused(const std::string& what, const std::string& cure) {
    const auto before = snapshot(directory.path());
    const Result<Cache> cache = Cache::open({.directory = directory.path()});
    ASSERT_FALSE(cache);
    EXPECT_EQ(cache.error().code(), Errc::incompatible_format);
    EXPECT_NE(std::string(cache.error().what()).find(what), std::string::npos) << cache.error().what();
    EXPECT_NE(std::string(cache.error().what()).find(directory.path().string()), std::string::npos);
    EXPECT_NE(cache.error().help().find(cure), std::string::npos) << cache.error().help();
    EXPECT_EQ(verify(directory.path()).error().code(), Errc::incompatible_format);
    EXPECT_EQ(holders(directory.path()).error().code(), Errc::incompatible_format);
    EXPECT_EQ(snapshot(directory.path()), before);
  }
  const Directory directory;
};

constexpr const char* k_use_it = "use that larder, or another directory";

TEST_F(OtherFormat, ANewerOneInPlaceOfOursIsRefused) {
  std::filesystem::rename(directory.path() / "v1", directory.path() / "v2");
  std::filesystem::remove(directory.path() / ".gitignore");  // which a store has, and which is not made now
  expect_refused("was made by a newer larder: it has v2, and this one knows v1", k_use_it);
}

TEST_F(OtherFormat, ANewerOneBesideOursIsLeftAloneAndOursGoesOn) {
  const std::filesystem::path newer = directory.path() / "v2";
  std::filesystem::copy(directory.path() / "v1", newer, std::filesystem::copy_options::recursive);
  const auto before = snapshot(newer);
  Process process(directory);
  EXPECT_EQ(process.get(Key{"k"}), "v");
  process.put(Key{"l"}, "w");
  process.store->clear();
  EXPECT_EQ(snapshot(newer), before);
}

TEST_F(OtherFormat, ANewerNumberIsRefused) {
  change([](ControlPage& page) { page.format = k_format + 1; });
  expect_refused("was made by a newer larder: its format is 2, and this one knows 1", k_use_it);
}

TEST_F(OtherFormat, AnOlderNumberIsRefused) {
  change([](ControlPage& page) { page.format = k_format - 1; });
  expect_refused("was made by an older larder: its format is 0, and this one knows 1",
                 "rm -r " + (directory.path() / "v1").string());
}

TEST_F(OtherFormat, FeaturesThatAreNotKnownAreRefused) {
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    change([&](ControlPage& page) { page.features = std::uint32_t{1} << bit; });
    expect_refused("was made by a newer larder: this one does not know its features", k_use_it);
  }
}

TEST_F(OtherFormat, IsRefusedWhoeverElseHasTheStoreOpen) {
  const Process user(directory);
  change([](ControlPage& page) { page.format = k_format + 1; });
  observe::Counters counters;
  const auto store =
      Store::open({directory.path(), std::nullopt, Verification::boot, Durability::synced, &counters, {}});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), Errc::incompatible_format);
}

}  // namespace
}  // namespace larder::store
