// A writer can be killed between any two instructions while others read. Writers are forked from this
// (single-threaded) process and die by SIGKILL, at every named point of the store in turn and at random
// instants; readers run all the while. What may be seen is known from an oracle in shared memory: per
// key, the number of the operation that was last *begun* and of the one that was last *done*. A lookup
// that starts when `d` was done and ends when `b` was begun must see the outcome of one of d…b.
//
// Operation n on a key is a removal if n % 7 == 0, an invalidation of its tag if n % 7 == 3, else a put of
// value_of(key, n), which expires soon if n % 7 == 5. Operation 0 is "never put". A key has one writer at a time; the
// next one goes on after the number last begun.
//
// Now and then everybody stops and the machine seems to restart: the next one rebuilds the store from its segments and
// its journal, and the same holds.
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <larder/larder.hpp>

#include "base/clock.hpp"
#include "os/os.hpp"
#include "store/control.hpp"
#include "store/inspect.hpp"
#include "store/store.hpp"
#include "support/roles.hpp"
#include "support/temporary_directory.hpp"
#include "support/values.hpp"

namespace larder {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t k_keys = 48;
constexpr std::size_t k_value_bytes_max = 40'000;
// Some keys hold values that get a segment of their own: one of each writer's.
constexpr bool is_large(std::uint64_t key) {
  return key == 7 || key == 8;
}
constexpr std::size_t k_large_bytes = 5 << 20;

struct Oracle {
  struct Operations {
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::int64_t> expired_ms{0};  // by then what expires, of the operation last done, has expired
  };
  std::array<Operations, k_keys> keys;
  std::atomic<std::uint64_t> lookups{0};
  std::atomic<std::uint64_t> failures{0};
  std::array<std::atomic<std::uint64_t>, 64> killed_at{};  // by the number of the named point
  std::atomic<bool> stop{false};
};

// An object in memory that this process and its children share.
template <class T>
class Shared {
 public:
  Shared() {
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    object_ = new (memory) T();
  }
  ~Shared() { ::munmap(object_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

enum class Act : std::uint8_t { put, put_that_expires, remove, invalidate };

Act act_of(std::uint64_t operation) {
  switch (operation % 7) {
    case 0:
      return Act::remove;
    case 3:
      return Act::invalidate;
    case 5:
      return Act::put_that_expires;
    default:
      return Act::put;
  }
}

constexpr auto k_soon = 20ms;

std::string tag_of(std::uint64_t key) {
  return "tag of " + std::to_string(key);
}

std::string value_of(std::uint64_t key, std::uint64_t operation) {
  std::string value = test::value_of(key, operation, k_value_bytes_max);
  if (is_large(key)) value.resize(k_large_bytes, static_cast<char>('a' + operation % 26));
  return value;
}

Cache open(const std::filesystem::path& directory, const std::string& limit, const Size& memory) {
  return Cache::open({.directory = directory, .store = Size(limit), .memory = memory, .write = WriteMode::through})
      .value();
}

// Looks the key up and compares with the oracle. `may_vanish`: the store is small and reclaims.
void look(Cache& cache, Oracle& oracle, std::uint64_t key, bool may_vanish) {
  const std::uint64_t done = oracle.keys[key].done.load();
  const bool expired = base::wall_ms() > oracle.keys[key].expired_ms.load();
  const auto found = cache.get<std::string_view>(Key{"k", key});
  const std::uint64_t begun = oracle.keys[key].begun.load();
  const auto explains = [&](std::uint64_t n) {
    const Act act = act_of(n);
    const bool put = n != 0 && (act == Act::put || act == Act::put_that_expires);
    if (!found) return !put || act == Act::put_that_expires || may_vanish;
    return put && **found == value_of(key, n) && !(act == Act::put_that_expires && n == done && expired);
  };
  bool right = false;
  for (std::uint64_t n = done; n <= begun && !right; ++n) right = explains(n);
  oracle.lookups.fetch_add(1, std::memory_order_relaxed);
  if (!right) {
    oracle.failures.fetch_add(1);
    std::string what = "nothing found";
    if (found) {
      what = std::string("a value that never was, from ") + tier_name(found->source());
      for (std::uint64_t n = begun; n != 0; --n) {
        if (**found == value_of(key, n))
          what = "the value of " + std::to_string(n) + ", from " + tier_name(found->source());
      }
    }
    std::fprintf(stderr, "process %d: key %llu, operations %llu to %llu: %s\n", static_cast<int>(::getpid()),
                 static_cast<unsigned long long>(key), static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(begun), what.c_str());
  }
}

// Kills this process when a named point is reached for the n-th time, and counts that.
class KillAt : public os::Hooks {
 public:
  KillAt(std::string point, int countdown, std::atomic<std::uint64_t>& killed)
      : point_(std::move(point)), countdown_(countdown), killed_(killed) {}
  int before(os::Call, const std::string&) override { return 0; }
  void reached(const char* point) override {
    if (point_ != point || --countdown_ != 0) return;
    killed_.fetch_add(1);
    ::raise(SIGKILL);
  }

 private:
  const std::string point_;
  std::atomic<int> countdown_;
  std::atomic<std::uint64_t>& killed_;
};

// Collects the names of all points, in a file-backed way that survives fork: only used in this process.
class Collect : public os::Hooks {
 public:
  int before(os::Call, const std::string&) override { return 0; }
  void reached(const char* point) override {
    const std::lock_guard lock(mutex_);
    points_.insert(point);
  }
  [[nodiscard]] std::set<std::string> points() {
    const std::lock_guard lock(mutex_);
    return points_;
  }

 private:
  std::mutex mutex_;
  std::set<std::string> points_;
};

// Works on every `step`-th key until it is killed or has done `operations`. Before each one it puts so many small
// values of other keys, to fill the index.
void write(Cache& cache, Oracle& oracle, std::uint64_t first, std::uint64_t step, int operations, std::uint64_t seed,
           int fillers) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < operations; ++i) {
    for (int filler = 0; filler < fillers; ++filler) cache.put(Key{"filler", random()}, filler);
    std::uint64_t key = first + step * (random() % (k_keys / step));
    if (is_large(key) && random() % 8 != 0) key = first;
    Oracle::Operations& operations_of_key = oracle.keys[key];
    const std::uint64_t n = operations_of_key.begun.load() + 1;
    operations_of_key.begun.store(n);
    switch (act_of(n)) {
      case Act::remove:
        cache.remove(Key{"k", key});
        break;
      case Act::invalidate:
        cache.invalidate(tag_of(key));
        break;
      case Act::put:
        cache.put<std::string_view>(Key{"k", key}, value_of(key, n), {.tags = {tag_of(key)}});
        break;
      case Act::put_that_expires:
        cache.put<std::string_view>(Key{"k", key}, value_of(key, n), {.ttl = k_soon, .tags = {tag_of(key)}});
        break;
    }
    operations_of_key.expired_ms.store(base::wall_ms() + k_soon.count());
    operations_of_key.done.store(n);
  }
}

// Runs `body` in a forked child, which exits with 0 unless it is killed or throws.
template <class Body>
pid_t fork_child(Body body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  try {
    body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
    ::_exit(3);
  }
  ::_exit(0);
}

// The wait status; fails the test, and kills the child, if it does not end: a hang.
int wait_for(pid_t pid, const char* what) {
  for (int i = 0; i < 60'000; ++i) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) return status;
    ::usleep(500);
  }
  ADD_FAILURE() << what << " hangs";
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

struct Setting {
  std::string limit;
  bool may_vanish = false;  // the limit is so small that the store reclaims all the time
  int fillers = 0;
};

// Reclaims ahead of need, and now and then compacts, `rounds` times.
void reclaim(const std::filesystem::path& directory, const std::string& limit, int rounds) {
  observe::Counters counters;
  const auto store = store::Store::open({.directory = directory,
                                         .limit = Size(limit).bytes(0).value(),
                                         .verification = Verification::boot,
                                         .counters = &counters})
                         .value();
  for (int i = 1; i <= rounds; ++i) {
    store->maintain();
    if (i % 8 == 0) store->compact();
  }
}

// What a writer and a reclaimer pass through, found by letting both run on a store of their own.
std::set<std::string> named_points(const Setting& setting) {
  Collect hooks;
  test::TemporaryDirectory scratch;
  os::install(&hooks);
  {
    Shared<Oracle> oracle;
    Cache cache = open(scratch.path(), setting.limit, Size(0));
    write(cache, *oracle, 0, 1, 2000, 1, setting.fillers);
  }
  if (setting.may_vanish) reclaim(scratch.path(), setting.limit, 8);
  os::install(nullptr);
  return hooks.points();
}

// One store, two readers all the while, and two writers at a time, both of which are killed; where the store reclaims,
// a reclaimer as well.
class Stage {
 public:
  void run(const Setting& setting, int kills_wanted) {
    const std::string& limit = setting.limit;
    const bool may_vanish = setting.may_vanish;
    const std::set<std::string> points = named_points(setting);
    ASSERT_GE(points.size(), 6U) << "the store names its points";
    start_readers(limit, may_vanish);
    std::mt19937_64 random(20);
    int kills = 0;
    std::uint64_t restarts = 0;
    auto point = points.begin();
    for (int round = 0; kills < kills_wanted && round < 4 * kills_wanted; ++round) {
      // Two writers on disjoint keys; one dies at a named point, the other at a random instant.
      const std::string at = *point;
      std::atomic<std::uint64_t>& killed =
          oracle_->killed_at.at(static_cast<std::size_t>(std::distance(points.begin(), point)));
      if (++point == points.end()) point = points.begin();
      const int countdown = 1 + static_cast<int>(random() % 4);
      const std::uint64_t seeds[] = {random(), random()};
      const pid_t named = fork_child([&] {
        KillAt hooks(at, countdown, killed);
        os::install(&hooks);
        Cache cache = open(directory_.path(), limit, Size(0));
        write(cache, *oracle_, 0, 2, 100, seeds[0], setting.fillers);
        os::install(nullptr);
      });
      const pid_t any = fork_child([&] {
        Cache cache = open(directory_.path(), limit, Size(0));
        write(cache, *oracle_, 1, 2, 100'000, seeds[1], setting.fillers);
      });
      std::vector<pid_t> writers{named, any};
      if (may_vanish) {
        writers.push_back(fork_child([&] {
          KillAt hooks(at, countdown, killed);
          os::install(&hooks);
          reclaim(directory_.path(), limit, 1'000'000);
        }));
      }
      ::usleep(static_cast<useconds_t>(random() % 6000));
      for (const pid_t pid : writers) {
        if (pid != named) ::kill(pid, SIGKILL);
      }
      for (const pid_t pid : writers) {
        const int status = wait_for(pid, "a writer");
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
          ++kills;
        } else {
          EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "a writer ended with wait status " << status;
        }
      }
      // Whoever opens the store next finds everything, without rebuilding unless the machine was restarted.
      if (round % 16 == 0) {
        const bool restart = round % 64 == 48;
        if (restart) {
          stop_readers();
          store::Control::open({directory_.path()}).value().page().boot_id[0] ^= std::byte{1};
        }
        const pid_t checker = fork_child([&] {
          Cache cache = open(directory_.path(), limit, Size(0));
          for (std::uint64_t key = 0; key < k_keys; ++key) look(cache, *oracle_, key, may_vanish);
          const std::uint64_t rebuilt = cache.stats()[Counter::rebuilt];
          if (rebuilt != (restart ? 1U : 0U)) {
            throw std::runtime_error("the store was rebuilt " + std::to_string(rebuilt) + " times");
          }
        });
        const int status = wait_for(checker, "a checker");
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        if (restart) {
          ++restarts;
          start_readers(limit, may_vanish);
        }
      }
      if (oracle_->failures.load() != 0) break;
    }
    stop_readers();
    // Opening makes up for what was killed half way.
    wait_for(fork_child([&] { open(directory_.path(), limit, Size(0)); }), "the last one");
    EXPECT_EQ(store::check(directory_.path()).value(), std::vector<std::string>{});
    EXPECT_EQ(oracle_->failures.load(), 0U);
    EXPECT_GE(kills, kills_wanted);
    EXPECT_GT(oracle_->lookups.load(), static_cast<std::uint64_t>(kills_wanted));
    std::size_t number = 0;
    for (const std::string& name : points) {
      std::printf("  %5llu kills at %s\n", static_cast<unsigned long long>(oracle_->killed_at.at(number++).load()),
                  name.c_str());
    }
    std::printf("  %d kills, the others at random instants, and %llu restarts, %llu lookups meanwhile\n", kills,
                static_cast<unsigned long long>(restarts), static_cast<unsigned long long>(oracle_->lookups.load()));
  }

 private:
  void start_readers(const std::string& limit, bool may_vanish) {
    oracle_->stop.store(false);
    for (const int memory : {0, 4 << 20}) {
      readers_.push_back(fork_child([&] {
        Cache cache = open(directory_.path(), limit, Size(memory));
        std::mt19937_64 random(static_cast<std::uint64_t>(memory) + 1);
        while (!oracle_->stop.load()) look(cache, *oracle_, random() % k_keys, may_vanish);
      }));
    }
  }
  void stop_readers() {
    oracle_->stop.store(true);
    for (const pid_t reader : readers_) {
      const int status = wait_for(reader, "a reader");
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "a reader ended with wait status " << status;
    }
    readers_.clear();
  }

  std::vector<pid_t> readers_;
  Shared<Oracle> oracle_;
  test::TemporaryDirectory directory_;
};

// The long run takes a new store every 2000 kills, which bounds the disk it needs: 100,000 kills in all.
void kill_often(const Setting& setting, int kills) {
  for (int stage = 0; stage < (test::long_run() ? 20 : 1); ++stage) {
    Stage().run(setting, test::long_run() ? 2000 : kills);
  }
}

TEST(Kill, NothingPublishedIsLostAndNothingWrongIsSeenWhenNothingIsReclaimed) {
  kill_often({"16GiB"}, 1200);
}

TEST(Kill, NothingWrongIsSeenWhileTheStoreReclaims) {
  kill_often({"24MiB", true}, 1000);
}

// A new store every now and then: it grows once or twice only.
TEST(Kill, NothingWrongIsSeenWhileTheIndexFillsAndGrows) {
  for (int stage = 0; stage < (test::long_run() ? 200 : 3); ++stage) Stage().run({"24MiB", true, 20}, 100);
}

}  // namespace
}  // namespace larder
