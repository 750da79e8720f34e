// The power can go at any moment, and the disk holds then what was synced and any part of the rest. A run works on a
// small store through two openings, in one thread, on a recorded disk (support/recorded_disk.hpp): it puts, overwrites,
// removes, invalidates, clears, reclaims, is killed in the middle of these, restarts. Of what was recorded the images
// are made that a disk may hold, and each is opened as after a restart of the machine. Some image is what the next
// *life* of the run goes on from: so the power also goes again and again, and while the store is being rebuilt.
//
// What may be found is known from a history of each key: operations in order, the moment at which each began and the
// one by which it had returned. After a cut, the last operation that had returned by then hides all before it.
//
//     LARDER_TEST_SEED=7 …     the run of that seed alone, as a failure says it
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <functional>
#include <random>
#include <sstream>

#include "base/clock.hpp"
#include "store/store.hpp"
#include "support/machine.hpp"
#include "support/recorded_disk.hpp"
#include "support/roles.hpp"
#include "support/temporary_directory.hpp"
#include "support/values.hpp"

namespace larder::store {
namespace {

namespace fs = std::filesystem;
using test::RecordedDisk;
using Moment = RecordedDisk::Moment;

constexpr std::uint64_t k_limit = std::uint64_t{4} << 20;
constexpr std::uint64_t k_keys = 24;
constexpr std::uint64_t k_tags = 3;
constexpr std::size_t k_value_bytes_max = 60'000;
constexpr std::uint64_t k_large_key = 5;  // its values get a segment of their own
constexpr std::size_t k_large_bytes = 300'000;
constexpr std::int64_t k_hour_ms = 3'600'000;
constexpr Moment k_never = UINT32_MAX;

Key key_of(std::uint64_t number) {
  return Key{"k", static_cast<std::int64_t>(number)};
}

// Most keys have one.
std::optional<TagId> tag_of(std::uint64_t key) {
  if (key % 4 == 0) return std::nullopt;
  return tag_id("tag " + std::to_string(key % k_tags));
}

std::string value_of(std::uint64_t key, std::uint64_t version) {
  if (key == k_large_key) return test::value_of(key, version, k_value_bytes_max) + std::string(k_large_bytes, 'l');
  return test::value_of(key, version, k_value_bytes_max);
}

// What one opening of the store does.
struct Opening {
  Opening(const fs::path& directory, Durability durability)
      : options{directory, k_limit, Verification::boot, durability, &counters} {
    open();
  }
  void open() {
    Result<std::unique_ptr<Store>> opened = Store::open(options);
    if (!opened) throw std::runtime_error(std::string("open: ") + opened.error().what());
    store = *std::move(opened);
  }
  // The version that a lookup finds, 0 if none; -1 if it finds what was never put.
  std::int64_t version_found(std::uint64_t key, std::uint64_t versions) const {
    const Lookup lookup = store->get(key_of(key));
    if (!lookup.found) return 0;
    const Bytes bytes = lookup.found->value;
    const auto version = static_cast<std::uint64_t>(lookup.found->meta.cost_ns);
    if (version == 0 || version > versions) return -1;
    const std::string value = value_of(key, version);
    return std::ranges::equal(std::as_bytes(std::span(value)), bytes) ? static_cast<std::int64_t>(version) : -1;
  }

  observe::Counters counters;
  StoreOptions options;
  std::unique_ptr<Store> store;
};

struct Operation {
  std::uint64_t number;
  std::uint64_t version;  // that may be found because of it; 0: none
  Moment begun;
  Moment returned = k_never;
};

class History {
 public:
  using Numbers = std::vector<std::uint64_t>;

  // Returns the number of the operation.
  std::uint64_t begin(std::uint64_t key, std::uint64_t version, Moment moment) {
    keys_[key].push_back({++operations_, version, moment});
    return operations_;
  }
  Numbers begin_of_all(const std::vector<std::uint64_t>& keys, std::uint64_t version, Moment moment) {
    Numbers numbers;
    for (const std::uint64_t key : keys) numbers.push_back(begin(key, version, moment));
    return numbers;
  }
  void end(const Numbers& numbers, Moment moment) {
    for (std::vector<Operation>& operations : keys_) {
      for (Operation& operation : operations) {
        if (std::ranges::find(numbers, operation.number) != numbers.end()) operation.returned = moment;
      }
    }
  }
  // Goes on after a cut: what returned by then counts as done for all times, what began later never was.
  void cut(Moment moment, Durability durability) {
    for (std::vector<Operation>& operations : keys_) {
      std::erase_if(operations, [&](const Operation& operation) { return operation.begun > moment; });
      for (Operation& operation : operations) {
        operation.begun = 0;
        operation.returned = operation.returned <= moment && durability == Durability::synced ? 0 : k_never;
      }
    }
  }
  // Somebody has seen the version, so all before it is gone.
  void seen(std::uint64_t key, std::uint64_t version, Moment moment) {
    for (Operation& operation : keys_[key]) {
      if (operation.version == version) operation.returned = std::min(operation.returned, moment);
    }
  }
  // Whether the version may be found after a cut at that moment, or at that moment itself.
  [[nodiscard]] bool allows(std::uint64_t key, std::uint64_t version, Moment moment, Durability durability) const {
    if (version == 0) return true;
    const std::vector<Operation>& operations = keys_[key];
    std::size_t first = 0;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (operations[i].returned <= moment && durability == Durability::synced) first = i;
    }
    for (std::size_t i = first; i < operations.size() && operations[i].begun <= moment; ++i) {
      if (operations[i].version == version) return true;
    }
    return false;
  }
  [[nodiscard]] std::string text(std::uint64_t key) const {
    std::ostringstream text;
    for (const Operation& operation : keys_[key]) {
      text << "\n  " << (operation.version == 0 ? "gone" : "version " + std::to_string(operation.version)) << " from "
           << operation.begun << ", returned by "
           << (operation.returned == k_never ? "never" : std::to_string(operation.returned));
    }
    return text.str();
  }

 private:
  std::array<std::vector<Operation>, k_keys> keys_;
  std::uint64_t operations_ = 0;
};

// Between any two steps of these a process can be killed, too.
constexpr std::array k_deaths = {
    "store.append.before_write", "store.append.written",  "store.append.committed",      "store.publish.pending",
    "store.publish.stamped",     "store.publish.visible", "store.publish.stamped_again", "store.journal.written",
    "store.remove.stamped",      "store.remove.hidden",   "store.remove.written",        "store.clear.forgotten",
    "store.clear.written",       "store.reclaim.retired", "store.reclaim.cleared",       "store.reclaim.unlinked",
    "store.remove.done",         "store.clear.cleared",   "store.invalidate.stamped",    "store.invalidate.written",
    "store.segment.numbered",    "store.segment.made",    "store.seal.written",          "store.journal.made",
};

// Or before a sync at the latest: one by another process is not recorded.
class Death : public os::Hooks {
 public:
  explicit Death(std::string point) : point_(std::move(point)) { os::install(this); }
  int before(os::Call call, const std::string&) override {
    if (call == os::Call::sync) ::raise(SIGKILL);
    return 0;
  }
  void reached(const char* point) override {
    if (point == point_) ::raise(SIGKILL);
  }

 private:
  const std::string point_;
};

class Run {
 public:
  Run(std::uint64_t seed, Durability durability, int cuts) : seed_(seed), durability_(durability), cuts_(cuts) {
    random_.seed(seed);
  }

  void live(int lives, int operations) {
    base_ = std::make_unique<test::TemporaryDirectory>(test::fast_directory());
    // Mostly the store is there and on disk. Else the power may go while it is being made.
    if (chance(3, 4)) Opening(base_->path(), durability_);
    for (life_ = 1; life_ <= lives && !::testing::Test::HasFailure(); ++life_) {
      RecordedDisk disk(base_->path());
      work(disk, operations);
      cut(disk);
    }
  }

  [[nodiscard]] int images() const { return images_; }
  [[nodiscard]] int found() const { return found_; }

 private:
  std::uint64_t any(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t of, std::uint64_t all) { return any(all) < of; }

  std::string where() const { return "LARDER_TEST_SEED=" + std::to_string(seed_) + ", life " + std::to_string(life_); }

  void work(RecordedDisk& disk, int operations) {
    returns_.clear();
    std::array<std::unique_ptr<Opening>, 2> openings;
    const auto open = [&](std::size_t i) { openings[i] = std::make_unique<Opening>(base_->path(), durability_); };
    const auto restart_machine = [&] {
      for (auto& opening : openings) opening.reset();
      test::restart(base_->path());
      for (auto& unsynced : unsynced_) unsynced.clear();  // nobody synced these; they may be lost from here on
    };
    const auto look = [&](const Opening& opening, std::uint64_t key) {
      const std::int64_t version = opening.version_found(key, versions_);
      const Moment now = disk.now();
      EXPECT_TRUE(version >= 0 && history_.allows(key, static_cast<std::uint64_t>(version), now, Durability::synced))
          << where() << ": key " << key << " answers with version " << version << " at moment " << now
          << history_.text(key);
      if (version > 0) history_.seen(key, static_cast<std::uint64_t>(version), now);
    };
    test::restart(base_->path());
    open(0);
    open(1);
    for (std::uint64_t key = 0; key < k_keys; ++key) look(*openings[0], key);
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      const std::size_t which = any(2);
      Opening& opening = *openings[which];
      const std::uint64_t key = any(k_keys);
      const std::uint64_t what = any(100);
      if (what < 60) {
        put(disk, opening, which, key);
      } else if (what < 70) {
        gone(disk, {key}, [&] { opening.store->remove(key_of(key)); });
      } else if (what < 73) {
        invalidate(disk, opening, key % k_tags);
      } else if (what < 74) {
        gone(disk, all_keys(), [&] { opening.store->clear(); });
      } else if (what < 82) {
        look(opening, key);
      } else if (what < 96) {
        killed(disk, key);
      } else if (what < 99) {
        opening.store->maintain();
        openings[which].reset();
        unsynced_[which].clear();
        open(which);
      } else {
        restart_machine();
        open(0);
        open(1);
      }
    }
  }

  static std::vector<std::uint64_t> all_keys() {
    std::vector<std::uint64_t> keys(k_keys);
    for (std::uint64_t key = 0; key < k_keys; ++key) keys[key] = key;
    return keys;
  }

  // What ends what these keys have.
  void gone(RecordedDisk& disk, const std::vector<std::uint64_t>& keys, const std::function<void()>& act) {
    const History::Numbers numbers = history_.begin_of_all(keys, 0, disk.now());
    act();
    returned(disk, numbers);
  }

  void returned(RecordedDisk& disk, const History::Numbers& operations) {
    const Moment now = disk.now();
    history_.end(operations, now);
    returns_.push_back(now);
  }

  void invalidate(RecordedDisk& disk, const Opening& opening, std::uint64_t number) {
    std::vector<std::uint64_t> keys;
    for (std::uint64_t key = 0; key < k_keys; ++key) {
      if (tag_of(key) && key % k_tags == number) keys.push_back(key);
    }
    gone(disk, keys, [&] { opening.store->invalidate(*tag_of(keys.front())); });
  }

  Put put_version(const Opening& opening, std::uint64_t key, std::uint64_t version, std::int64_t expires_ms) const {
    const std::string value = value_of(key, version);
    const Bytes bytes = std::as_bytes(std::span(value));
    Meta meta{"bytes", version, 0, expires_ms};
    if (const std::optional<TagId> tag = tag_of(key)) meta.stamps = {opening.store->tags().moment(), {*tag}};
    return opening.store->put(key_of(key), meta, std::span(&bytes, 1), opening.store->stamp(key_of(key)));
  }

  void put(RecordedDisk& disk, const Opening& opening, std::size_t which, std::uint64_t key) {
    const std::uint64_t version = ++versions_;
    const std::uint64_t lifetime = any(8);
    const std::int64_t now_ms = base::wall_ms();
    const std::int64_t expires_ms = lifetime == 0 ? now_ms - 1 : lifetime == 1 ? now_ms + k_hour_ms : k_no_expiry;
    const std::uint64_t operation = history_.begin(key, expires_ms < now_ms ? 0 : version, disk.now());
    const Put put = put_version(opening, key, version, expires_ms);
    if (put != Put::stored) {
      // Neither it nor what it was to replace is to be found.
      EXPECT_EQ(put, Put::no_room) << where();
      returned(disk, {history_.begin(key, 0, disk.now())});
      return;
    }
    unsynced_[which].push_back(operation);
    if (chance(1, 4)) return;
    opening.store->sync();
    returned(disk, unsynced_[which]);
    unsynced_[which].clear();
  }

  // A process that has the store open, too, is killed while it changes the key.
  void killed(RecordedDisk& disk, std::uint64_t key) {
    const std::uint64_t version = ++versions_;
    const std::uint64_t what = any(8);
    const char* const point = k_deaths[any(k_deaths.size())];
    history_.begin_of_all(what == 0 ? all_keys() : std::vector{key}, what > 2 ? version : 0, disk.now());
    const pid_t child = ::fork();
    if (child == 0) {
      const Opening opening(base_->path(), durability_);
      const Death death(point);
      if (what == 0) {
        chance(1, 2) ? opening.store->clear() : opening.store->invalidate(*tag_of(1));
      } else if (what <= 2) {
        opening.store->remove(key_of(key));
      } else {
        static_cast<void>(put_version(opening, key, version, k_no_expiry));
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
  }

  void cut(RecordedDisk& disk) {
    const Moment last = disk.now();
    std::unique_ptr<test::TemporaryDirectory> next;
    Moment next_cut = 0;
    for (int i = 0; i < cuts_ && !::testing::Test::HasFailure(); ++i) {
      // Just after a call has returned most can be wrong.
      const Moment at =
          i % 2 == 0 || returns_.empty() ? static_cast<Moment>(1 + any(last)) : returns_[any(returns_.size())];
      for (std::uint32_t loss = 0; loss < RecordedDisk::k_losses; ++loss) {
        const std::uint64_t image_seed = random_();
        auto image = std::make_unique<test::TemporaryDirectory>(test::fast_directory());
        disk.make_image(at, static_cast<RecordedDisk::Loss>(loss), image_seed, image->path());
        check_image(image->path(), at, loss);
        if (i + 1 < cuts_ || loss != any(RecordedDisk::k_losses) || next) continue;
        next = std::make_unique<test::TemporaryDirectory>(test::fast_directory());
        disk.make_image(at, static_cast<RecordedDisk::Loss>(loss), image_seed, next->path());
        next_cut = at;
      }
    }
    for (auto& unsynced : unsynced_) unsynced.clear();
    if (!next) {
      next = std::make_unique<test::TemporaryDirectory>(test::fast_directory());
      disk.make_image(last, RecordedDisk::Loss::everything, 0, next->path());
      next_cut = last;
    }
    history_.cut(next_cut, durability_);
    base_ = std::move(next);
  }

  void check_image(const fs::path& directory, Moment at, std::uint32_t loss) {
    ++images_;
    SCOPED_TRACE(where() + ", cut " + std::to_string(at) + ", loss " + std::to_string(loss));
    try {
      test::restart(directory);
      Opening opening(directory, durability_);
      for (std::uint64_t key = 0; key < k_keys; ++key) {
        const std::int64_t version = opening.version_found(key, versions_);
        found_ += version > 0 ? 1 : 0;
        EXPECT_TRUE(version >= 0 && history_.allows(key, static_cast<std::uint64_t>(version), at, durability_))
            << "key " << key << " answers with version " << version << history_.text(key);
      }
      opening.store->check();
      ++versions_;
      EXPECT_EQ(put_version(opening, 0, versions_, k_no_expiry), Put::stored);
      EXPECT_EQ(opening.version_found(0, versions_), static_cast<std::int64_t>(versions_));
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }

  const std::uint64_t seed_;
  const Durability durability_;
  const int cuts_;
  int life_ = 0;
  int images_ = 0;
  int found_ = 0;  // values, in images
  std::mt19937_64 random_;
  std::uint64_t versions_ = 0;
  History history_;
  std::unique_ptr<test::TemporaryDirectory> base_;
  std::vector<Moment> returns_;
  std::array<History::Numbers, 2> unsynced_;  // puts of each opening that no sync has followed yet
};

void cut_at_any_moment(Durability durability, int runs) {
  const char* const chosen = std::getenv("LARDER_TEST_SEED");
  const bool is_long = test::long_run();
  int images = 0;
  int found = 0;
  for (int i = 0; i < (chosen != nullptr ? 1 : runs) && !::testing::Test::HasFailure(); ++i) {
    const std::uint64_t seed = chosen != nullptr ? std::stoull(chosen) : static_cast<std::uint64_t>(i) + 1;
    Run run(seed, durability, is_long ? 20 : 8);
    run.live(is_long ? 4 : 2, is_long ? 150 : 80);
    images += run.images();
    found += run.found();
  }
  std::printf("  %d images, %d values found in them\n", images, found);
  EXPECT_GT(found, images) << "too few of the images have anything in them";
}

TEST(PowerCut, BringsNothingBackThatWasRemovedOverwrittenOrInvalidated) {
  cut_at_any_moment(Durability::synced, test::long_run() ? 20 : 2);
}

TEST(PowerCut, WithRelaxedDurabilityLeavesWholeValuesOnly) {
  cut_at_any_moment(Durability::relaxed, test::long_run() ? 4 : 1);
}

}  // namespace
}  // namespace larder::store
