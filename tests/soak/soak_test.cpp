// Everything at once, for long: six processes put, get, compute, remove, invalidate, expire and clear what they share,
// hold views, keep a cache or open it anew, and two of them are killed every now and then. All the while the files stay
// within the limit, no value is wrong, and memory and descriptors of those who live on do not grow.
//
// Seconds, or LARDER_TEST_SOAK_MINUTES minutes.
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include <larder/larder.hpp>

#include "store/format.hpp"
#include "store/inspect.hpp"
#include "support/roles.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_directory.hpp"
#include "support/values.hpp"

namespace larder {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t k_mib = std::uint64_t{1} << 20;
constexpr std::uint64_t k_limit = 256 * k_mib;
constexpr std::uint64_t k_memory = 16 * k_mib;
constexpr std::uint64_t k_queue = 16 * k_mib;
constexpr std::uint64_t k_keys = 3000;
constexpr std::uint64_t k_tags = 50;
constexpr std::size_t k_processes = 6;
constexpr std::size_t k_killed = 2;  // of them, from time to time
constexpr std::size_t k_views_max = 6;

// What a process takes of the machine, by quarters of the run: the most that was seen in each.
struct Taken {
  std::array<std::atomic<std::uint64_t>, 4> anonymous_bytes{};
  std::array<std::atomic<std::uint64_t>, 4> descriptors{};
};

struct Board {
  std::array<Taken, k_processes> taken;
  std::atomic<std::uint64_t> operations{0};
  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> wrong{0};
};

void raise_to(std::atomic<std::uint64_t>& most, std::uint64_t now) {
  most.store(std::max(most.load(), now));
}

std::uint64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "RssAnon:") continue;
    std::uint64_t kib = 0;
    status >> kib;
    return kib * 1024;
  }
  return 0;
}

std::uint64_t descriptors() {
  return static_cast<std::uint64_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

Key key_of(std::uint64_t key) {
  return Key{"soak", key};
}

// Small ones mostly, some of a megabyte, few with a file of their own.
std::size_t bytes_of(std::uint64_t key) {
  if (key % 250 == 1) return 6 * k_mib;
  if (key % 25 == 1) return 700'000;
  return key % 3 == 0 ? 300 : 12'000;
}

// Names its key in each part, so that a torn one is told.
std::string value_of(std::uint64_t key, std::uint64_t version) {
  std::string value = test::value_of(key, version, 256);
  const std::string part = std::to_string(key) + ":" + std::to_string(version) + ";";
  while (value.size() < bytes_of(key)) value += part;
  return value;
}

// Versions are few, so a value says which it is by being equal to one.
constexpr std::uint64_t k_versions = 4;

bool right(std::uint64_t key, std::string_view value) {
  for (std::uint64_t version = 0; version < k_versions; ++version) {
    if (value == value_of(key, version)) return true;
  }
  return false;
}

class Worker {
 public:
  Worker(const fs::path& directory, Board& board, std::uint64_t seed)
      : directory_(directory), board_(board), random_(seed), cache_(open()) {}

  void step() {
    const std::uint64_t key = random_() % 4 == 0 ? random_() % k_keys : random_() % (k_keys / 20);
    const std::string tag = "tag " + std::to_string(key % k_tags);
    const std::uint64_t what = random_() % 1000;
    if (what < 350) {
      look(key);
    } else if (what < 650) {
      const Ref<std::string> value =
          cache_.get_or_compute(key_of(key), [&] { return value_of(key, random_() % k_versions); }, {.tags = {tag}});
      check(key, *value);
    } else if (what < 850) {
      const Duration ttl = random_() % 4 == 0 ? Duration(50ms) : k_never;
      cache_.put(key_of(key), value_of(key, random_() % k_versions), {.ttl = ttl, .tags = {tag}});
    } else if (what < 920) {
      cache_.remove(key_of(key));
    } else if (what < 940) {
      cache_.invalidate(tag);
    } else if (what < 990) {
      if (auto view = cache_.get<std::string_view>(key_of(key))) views_.push_back({key, *std::move(view)});
      if (views_.size() > k_views_max) views_.pop_front();
      for (const auto& [of, view] : views_) check(of, *view);
    } else if (what < 997) {
      views_.clear();
    } else if (what < 999) {
      views_.clear();
      cache_ = open();
    } else if (random_() % 20 == 0) {
      cache_.clear();
    }
    board_.operations.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  struct View {
    std::uint64_t key;
    Ref<std::string_view> value;
  };

  Cache open() {
    return Cache::open(
               {.directory = directory_, .store = Size(k_limit), .memory = Size(k_memory), .queue = Size(k_queue)})
        .value();
  }
  void look(std::uint64_t key) {
    const auto value = cache_.get<std::string>(key_of(key));
    if (!value) return;
    board_.hits.fetch_add(1, std::memory_order_relaxed);
    check(key, **value);
  }
  void check(std::uint64_t key, std::string_view value) {
    if (right(key, value)) return;
    std::fprintf(stderr, "process %d: key %llu: a value that never was\n", static_cast<int>(::getpid()),
                 static_cast<unsigned long long>(key));
    board_.wrong.fetch_add(1);
  }

  const fs::path directory_;
  Board& board_;
  std::mt19937_64 random_;
  Cache cache_;
  std::deque<View> views_;
};

[[noreturn]] void work(const fs::path& directory, Board& board, std::size_t number, std::uint64_t seed,
                       Clock::time_point begin, Clock::time_point end) {
  try {
    Worker worker(directory, board, seed);
    for (auto now = Clock::now(); now < end; now = Clock::now()) {
      for (int i = 0; i < 50; ++i) worker.step();
      const auto quarter = static_cast<std::size_t>(std::clamp<std::int64_t>(4 * (now - begin) / (end - begin), 0, 3));
      raise_to(board.taken[number].anonymous_bytes[quarter], anonymous_bytes());
      raise_to(board.taken[number].descriptors[quarter], descriptors());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "worker: %s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

// What the names in the directory take on disk; files that come and go meanwhile count or not.
std::uint64_t bytes_on_disk(const fs::path& directory) {
  std::uint64_t sum = 0;
  std::error_code gone;
  for (auto file = fs::recursive_directory_iterator(directory, gone); !gone && file != fs::end(file);
       file.increment(gone)) {
    struct stat status {};
    if (::lstat(file->path().c_str(), &status) == 0) sum += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return sum;
}

std::chrono::milliseconds duration() {
  const char* const minutes = std::getenv("LARDER_TEST_SOAK_MINUTES");
  return minutes == nullptr ? 6000ms : std::chrono::milliseconds(std::atoi(minutes) * 60'000);
}

TEST(Soak, LimitsHoldNothingIsWrongAndNothingGrowsWhateverProcessesDo) {
  const test::TemporaryDirectory directory;
  void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  Board& board = *new (memory) Board();
  const auto begin = Clock::now();
  const auto end = begin + duration();
  std::uint64_t seed = 0;
  const auto start = [&](std::size_t number) {
    const pid_t child = ::fork();
    if (child == 0) work(directory.path(), board, number, ++seed + number, begin, end);
    ++seed;
    return child;
  };
  std::array<pid_t, k_processes> workers{};
  for (std::size_t i = 0; i < k_processes; ++i) workers[i] = start(i);
  std::uint64_t most = 0;
  int kills = 0;
  std::mt19937_64 random(7);
  for (auto next_kill = begin + 500ms; Clock::now() < end;) {
    most = std::max(most, bytes_on_disk(directory.path()));
    if (Clock::now() > next_kill && Clock::now() + 2s < end) {
      const std::size_t number = random() % k_killed;
      ::kill(workers[number], SIGKILL);
      ::waitpid(workers[number], nullptr, 0);
      workers[number] = start(number);
      ++kills;
      next_kill = Clock::now() + std::chrono::milliseconds(100 + random() % 2000);
    }
    std::this_thread::sleep_for(5ms);
  }
  for (const pid_t worker : workers) {
    int status = 0;
    ::waitpid(worker, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "a worker ended with wait status " << status;
  }
  EXPECT_EQ(board.wrong.load(), 0U);
  EXPECT_GT(board.hits.load(), 0U);
  EXPECT_LE(most, k_limit + store::Geometry::for_limit(k_limit).segment_bytes);
  // Opening makes up for what was killed half way.
  { static_cast<void>(Cache::open({.directory = directory.path(), .memory = "0"}).value()); }
  EXPECT_EQ(store::check(directory.path()).value(), std::vector<std::string>{});
  for (std::size_t i = k_killed; i < k_processes; ++i) {
    const Taken& taken = board.taken[i];
    // In seconds a sanitizer, which slows down and keeps memory, does not get beyond the beginning.
    if (duration() >= 1min || !(test::k_address_sanitizer || test::k_thread_sanitizer)) {
      // What the options let it keep is no growth: in seconds, on a busy machine, that fills up to the end.
      const std::uint64_t kept = std::max(taken.anonymous_bytes[1].load(), k_memory + k_queue);
      EXPECT_LE(taken.anonymous_bytes[3].load(), kept * 5 / 4 + 16 * k_mib);
      EXPECT_LE(taken.descriptors[3].load(), taken.descriptors[1].load() + 32) << "those of mapped files come and go";
    }
    std::printf("  process %zu: %3llu, %3llu, %3llu, %3llu MiB and %llu, %llu, %llu, %llu descriptors, by quarters\n",
                i, static_cast<unsigned long long>(taken.anonymous_bytes[0] / k_mib),
                static_cast<unsigned long long>(taken.anonymous_bytes[1] / k_mib),
                static_cast<unsigned long long>(taken.anonymous_bytes[2] / k_mib),
                static_cast<unsigned long long>(taken.anonymous_bytes[3] / k_mib),
                static_cast<unsigned long long>(taken.descriptors[0].load()),
                static_cast<unsigned long long>(taken.descriptors[1].load()),
                static_cast<unsigned long long>(taken.descriptors[2].load()),
                static_cast<unsigned long long>(taken.descriptors[3].load()));
  }
  std::printf("  %llu operations, %llu hits, %d kills, at most %.1f MiB on disk of %.0f\n",
              static_cast<unsigned long long>(board.operations.load()),
              static_cast<unsigned long long>(board.hits.load()), kills,
              static_cast<double>(most) / static_cast<double>(k_mib), static_cast<double>(k_limit / k_mib));
  ::munmap(memory, sizeof(Board));
}

}  // namespace
}  // namespace larder
