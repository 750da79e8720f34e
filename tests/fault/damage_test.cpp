// What a damaged store may do: forget. One byte flipped, a file cut short, a file gone, before the store is
// opened: a lookup then gives the current value or nothing, never another value, one that was
// overwritten, or one that was removed, and nothing crashes.
//
// The damage is done to copies of one small store, both in the boot that wrote it (with verification
// `always`) and as if the machine had been restarted since (with verification `boot`).
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <larder/larder.hpp>

#include "support/roles.hpp"
#include "support/temporary_directory.hpp"
#include "support/values.hpp"

namespace larder {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_boot_id_offset = 64;  // in v1/control, see docs/internals/store-format.md

// What every lookup may answer besides "nothing".
using Truth = std::map<std::string, std::optional<std::string>>;

Truth small_truth() {
  return {
      {"small", "a small value"},         {"empty", ""}, {"overwritten", "the second value"}, {"removed", std::nullopt},
      {"view", std::string(17'000, 'v')},  // handed out as a view of the mapping
  };
}

Truth large_truth() {
  Truth truth = small_truth();
  truth["own segment"] = std::string(300'000, 's');  // with this limit, a file of its own
  return truth;
}

Options options_for(const fs::path& directory, Verification verification) {
  return {.directory = directory,
          .store = Size("16MiB"),
          .memory = 0,
          .write = WriteMode::through,
          .verification = verification};
}

using Files = std::map<std::string, std::string>;  // relative path -> content

Files read_tree(const fs::path& directory) {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || entry.path().parent_path().filename() == "locks") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[fs::relative(entry.path(), directory).string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

bool holds(const fs::path& path, const std::string& content) {
  std::ifstream file(path, std::ios::binary);
  std::string found(content.size() + 1, 0);
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  return static_cast<std::size_t>(file.gcount()) == content.size() && found.starts_with(content);
}

// Makes the directory hold exactly these files (and the lock files, which are empty).
void write_tree(const fs::path& directory, const Files& files) {
  for (const fs::path part : {"", "v1", "v1/seg"}) {
    fs::create_directories(directory / part);
    fs::permissions(directory / part, fs::perms::owner_all);
    std::vector<fs::path> others;
    for (const auto& entry : fs::directory_iterator(directory / part)) {
      if (!entry.is_directory() && !files.contains((part / entry.path().filename()).string())) {
        others.push_back(entry.path());
      }
    }
    for (const fs::path& other : others) fs::remove(other);
  }
  for (const auto& [name, content] : files) {
    // Most are as they were, many thousand times.
    if (!holds(directory / name, content)) std::ofstream(directory / name, std::ios::binary) << content;
  }
}

// Memory-backed where there is such a place: thousands of small stores are written.
fs::path scratch_parent() {
  return fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
}

class Damage : public ::testing::Test {
 protected:
  explicit Damage(Truth truth = large_truth()) : truth_(std::move(truth)) {}

  void SetUp() override {
    Cache cache = Cache::open(options_for(original_, Verification::boot)).value();
    const auto put = [&](const std::string& key, const std::string& value) {
      cache.put<std::string_view>(Key{key}, std::string(value));
    };
    put("removed", "once here");
    put("overwritten", "the first value");
    for (const auto& [key, value] : truth_) {
      if (value) put(key, *value);
    }
    ASSERT_TRUE(cache.remove(Key{"removed"}));
    cache = Cache::open({.store = Size(0)}).value();  // closes the store
    whole_ = read_tree(original_);
    ASSERT_GE(whole_.size(), 5U);
  }

  // Looks everything up in a store of these files; returns how many values were found.
  int look(const Files& files, Verification verification, bool rebooted, const std::string& what) {
    Files damaged = files;
    if (rebooted && damaged.contains("v1/control") && damaged["v1/control"].size() > k_boot_id_offset) {
      damaged["v1/control"][k_boot_id_offset] ^= 0x55;
    }
    const fs::path directory = scratch_.path() / "copy";
    write_tree(directory, damaged);
    Result<Cache> cache = Cache::open(options_for(directory, verification));
    if (!cache) {
      EXPECT_EQ(cache.error().code(), Errc::incompatible_format) << what << ": " << cache.error().what();
      return 0;
    }
    int found = 0;
    for (const auto& [key, value] : truth_) {
      const auto answer = cache->get<std::string_view>(Key{key});
      if (!answer) continue;
      ++found;
      EXPECT_TRUE(value && **answer == *value) << what << ": a wrong value of `" << key << "`";
    }
    // Whatever is broken, computing goes on.
    EXPECT_EQ(*cache->get_or_compute(Key{"new"}, [] { return 1; }), 1) << what;
    return found;
  }

  // Both ways in which damage is met.
  void look_both_ways(const Files& files, const std::string& what) {
    look(files, Verification::always, false, what);
    look(files, Verification::boot, true, what + ", after a restart");
  }

  const Files& whole() const { return whole_; }
  int all() const { return static_cast<int>(truth_.size()) - 1; }

 private:
  const Truth truth_;
  test::TemporaryDirectory scratch_{scratch_parent()};
  fs::path original_ = scratch_.path() / "original";
  Files whole_;
};

TEST_F(Damage, TheWholeStoreAnswersEverythingAlsoAfterARestart) {
  EXPECT_EQ(look(whole(), Verification::always, false, "whole"), all());
  EXPECT_EQ(look(whole(), Verification::boot, true, "whole, after a restart"), all());
  EXPECT_EQ(look(whole(), Verification::process, true, "whole, after a restart"), all());
}

// A store of less than 200 kB, whose bytes are shared out to parts that may run side by side.
class DamagedByte : public Damage, public ::testing::WithParamInterface<std::size_t> {
 protected:
  DamagedByte() : Damage(small_truth()) {}
};

constexpr std::size_t k_parts = 8;

TEST_P(DamagedByte, AnyFlippedByteIsAMissOrHarmless) {
  std::size_t flips = 0;
  for (const auto& [name, content] : whole()) {
    for (std::size_t at = GetParam(); at < content.size(); at += k_parts) {
      // The long run takes every byte. Otherwise of runs of one byte (the larger value, slots and counters that were
      // never used) a sample: all would take a quarter of an hour.
      const bool in_run =
          at >= 64 && at + 64 < content.size() && content.compare(at - 64, 128, std::string(128, content[at])) == 0;
      if (in_run && !test::long_run() && at % 1021 != 0) continue;
      Files damaged = whole();
      damaged[name][at] = static_cast<char>(damaged[name][at] ^ (1 << (at / k_parts % 8)));
      look_both_ways(damaged, name + " byte " + std::to_string(at) + " flipped");
      ++flips;
      if (HasFailure()) return;
    }
  }
  std::printf("  %zu bytes flipped, twice each\n", flips);
  EXPECT_GT(flips, 100U);
}

INSTANTIATE_TEST_SUITE_P(Part, DamagedByte, ::testing::Range(std::size_t{0}, k_parts));

TEST_F(Damage, AnyFileCutShortIsAMissOrHarmless) {
  for (const auto& [name, content] : whole()) {
    for (std::size_t length = 0; length < content.size(); length += 1 + length / 7) {
      Files damaged = whole();
      damaged[name].resize(length);
      look_both_ways(damaged, name + " cut to " + std::to_string(length));
      if (HasFailure()) return;
    }
  }
}

TEST_F(Damage, AnyFileGoneIsAMissOrHarmless) {
  for (const auto& [name, content] : whole()) {
    Files damaged = whole();
    damaged.erase(name);
    look_both_ways(damaged, name + " gone");
  }
}

TEST_F(Damage, FilesThatTakeEachOthersPlaceAreAMissOrHarmless) {
  for (const auto& [one, unused] : whole()) {
    for (const auto& [other, unused_too] : whole()) {
      if (one >= other) continue;
      Files damaged = whole();
      std::swap(damaged[one], damaged[other]);
      look_both_ways(damaged, one + " and " + other + " exchanged");
    }
  }
}

}  // namespace
}  // namespace larder
