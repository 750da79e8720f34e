// Threads of several processes get, put, remove and invalidate a few keys of one store, all at once. What they saw is
// written down and has to be explained by one order of the operations on each key (linearizable.hpp).
//
// LARDER_TEST_SEED chooses the seed of every random number; who runs when is up to the system all the same.
//
// The processes keep their caches open and make one history after the other, of new keys; a history takes
// milliseconds. Between the steps of an operation (os::Hooks) and between operations they pause at random, so that
// others come in between.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <larder/larder.hpp>

#include "model/linearizable.hpp"
#include "os/os.hpp"
#include "support/roles.hpp"
#include "support/temporary_directory.hpp"

namespace larder {
namespace {

using namespace std::chrono_literals;
using test::Child;
using test::History;
using test::Operation;
using Kind = Operation::Kind;
using Random = std::mt19937_64;

constexpr std::uint32_t k_processes = 4;
constexpr std::uint32_t k_threads = 4;
constexpr std::uint32_t k_keys = 4;
constexpr std::uint32_t k_tagged_keys = 2;  // the first ones: all their values have the tag
constexpr std::size_t k_operations_max = 60;

// Every element is the number of the put. Sometimes it is so long that the store hands out views of it.
using Value = std::vector<std::uint64_t>;
constexpr std::size_t k_long_value = 3000;
constexpr std::uint64_t k_torn = std::numeric_limits<std::uint64_t>::max();  // no put's

// What one thread did in one history.
struct Lane {
  std::size_t count = 0;
  std::array<Operation, k_operations_max * k_tagged_keys> operations;

  void note(const Operation& operation) { operations.at(count++) = operation; }
};

// What the processes share. Zeros are its beginning.
struct Board {
  static constexpr std::uint64_t k_end = std::numeric_limits<std::uint64_t>::max();

  std::atomic<std::uint64_t> history;  // the one that is to be made, from 1 on; k_end: no more
  std::atomic<std::uint64_t> arrived;  // threads, of all histories together
  std::atomic<std::uint64_t> done;     // likewise
  std::array<Lane, k_processes * k_threads> lanes;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

class SharedBoard {
 public:
  explicit SharedBoard(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, sizeof(Board)) != 0) throw std::runtime_error("cannot make " + path);
    void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED) throw std::runtime_error("cannot map " + path);
    board_ = static_cast<Board*>(memory);
  }
  ~SharedBoard() { ::munmap(board_, sizeof(Board)); }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  Board& operator*() const { return *board_; }
  Board* operator->() const { return board_; }

 private:
  Board* board_;
};

Random random_of(std::uint64_t seed, std::uint64_t history, std::uint64_t who) {
  std::seed_seq numbers{seed, seed >> 32U, history, who};
  return Random(numbers);
}

// Lets others in, most of the time only a little.
void pause(Random& random) {
  const std::uint64_t number = random();
  if (number % 8 == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(number / 8 % 64));
  } else if (number % 8 < 3) {
    std::this_thread::yield();
  }
}

thread_local Random t_random;  // of a thread that writes back: always the same numbers

// Pauses between the steps of operations.
class Pauses : public os::Hooks {
 public:
  Pauses() { os::install(this); }
  ~Pauses() override { os::install(nullptr); }
  int before(os::Call /*call*/, const std::string& /*path*/) override {
    pause(t_random);
    return 0;
  }
  void reached(const char* /*point*/) override { pause(t_random); }
};

// One thread of one process.
class Caller {
 public:
  Caller(Cache cache, Board& board, std::uint32_t process, std::uint32_t thread)
      : cache_(std::move(cache)), board_(board), process_(process), thread_(thread) {}

  void run(std::uint64_t seed) {
    for (std::uint64_t history = 1;; ++history) {
      while (board_.history.load() < history) std::this_thread::sleep_for(50us);
      if (board_.history.load() == Board::k_end) return;
      t_random = random_of(seed, history, number());
      board_.arrived.fetch_add(1);
      while (board_.arrived.load() < history * k_processes * k_threads) std::this_thread::yield();
      make(history);
      board_.done.fetch_add(1);
    }
  }

 private:
  [[nodiscard]] std::uint32_t number() const { return process_ * k_threads + thread_; }

  void make(std::uint64_t history) {
    Lane& lane = board_.lanes.at(number());
    lane.count = 0;
    const std::string tag = "history " + std::to_string(history);
    const std::size_t operations = k_operations_max / 2 + t_random() % (k_operations_max / 2);
    for (std::size_t i = 0; i < operations; ++i) {
      Operation operation{
          .process = process_, .thread = thread_, .key = static_cast<std::uint32_t>(t_random() % k_keys)};
      const Key key{"register", history, operation.key};
      const std::uint64_t choice = t_random() % 100;
      if (choice < 50) {
        operation.kind = Kind::get;
        operation.invoked = test::now();
        const auto found = cache_.get<Value>(key);
        operation.returned = test::now();
        if (found) operation.result = number_of(**found);
      } else if (choice < 85) {
        operation.kind = Kind::put;
        operation.argument = number() * 1000 + i + 1;
        Value value(t_random() % 10 == 0 ? k_long_value : 1, operation.argument);
        EntryOptions options;
        if (operation.key < k_tagged_keys) options.tags = {tag};
        operation.invoked = test::now();
        const PutOutcome outcome = cache_.put(key, std::move(value), options);
        operation.returned = test::now();
        operation.result = static_cast<std::uint64_t>(outcome.in_store);
      } else if (choice < 95) {
        operation.kind = Kind::remove;
        operation.invoked = test::now();
        cache_.remove(key);
        operation.returned = test::now();
      } else {
        operation.kind = Kind::invalidate;
        operation.invoked = test::now();
        cache_.invalidate(tag);
        operation.returned = test::now();
        for (operation.key = 1; operation.key < k_tagged_keys; ++operation.key) lane.note(operation);
        operation.key = 0;
      }
      lane.note(operation);
      pause(t_random);
    }
  }

  static std::uint64_t number_of(const Value& value) {
    if (value.empty()) return k_torn;
    return std::ranges::all_of(value, [&](std::uint64_t element) { return element == value[0]; }) ? value[0] : k_torn;
  }

  Cache cache_;
  Board& board_;
  const std::uint32_t process_;
  const std::uint32_t thread_;
};

// Arguments: store directory, its limit, write mode, memory, board, seed, number of this process.
LARDER_ROLE(caller) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // who waits for the next history does not wait for a test that is gone
  const Cache cache = Cache::open({.directory = arguments[0],
                                   .store = Size(arguments[1]),
                                   .memory = Size(arguments[3]),
                                   .write = arguments[2] == "through" ? WriteMode::through : WriteMode::back})
                          .value();
  const SharedBoard board(arguments[4]);
  const std::uint64_t seed = std::stoull(arguments[5]);
  const auto process = static_cast<std::uint32_t>(std::stoul(arguments[6]));
  const Pauses pauses;
  std::vector<std::jthread> threads;
  for (std::uint32_t thread = 0; thread < k_threads; ++thread) {
    threads.emplace_back([&, thread] { Caller(cache, *board, process, thread).run(seed); });
  }
  threads.clear();
  return 0;
}

std::uint64_t chosen_seed() {
  if (const char* given = std::getenv("LARDER_TEST_SEED")) return std::stoull(given);
  return std::random_device{}();
}

class SharedStore : public ::testing::Test {
 protected:
  struct Setting {
    std::array<const char*, 2> write;  // of every other process
    const char* memory;
    const char* store = "64MiB";
  };
  // Has processes make histories of a store that is opened like this, and checks them.
  void expect_linearizable(const Setting& setting) {
    const std::uint64_t seed = chosen_seed();
    std::printf("LARDER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
    const std::uint64_t histories = test::long_run() ? 1000 : 40;
    const test::TemporaryDirectory directory;
    const std::string store = (directory.path() / "store").string();
    const std::string path = (directory.path() / "board").string();
    const SharedBoard board(path);
    std::vector<Child> children;
    for (std::uint32_t process = 0; process < k_processes; ++process) {
      children.push_back(
          test::start_role("caller", {store, setting.store, setting.write.at(process % 2), setting.memory, path,
                                      std::to_string(seed), std::to_string(process)}));
    }
    std::uint64_t wrong = 0;
    for (std::uint64_t history = 1; history <= histories; ++history) {
      board->history.store(history);
      while (board->done.load() < history * k_processes * k_threads) {
        for (Child& child : children) ASSERT_FALSE(child.wait(0ms)) << "a process ended in history " << history;
        std::this_thread::sleep_for(200us);
      }
      for (std::uint32_t key = 0; key < k_keys; ++key) {
        const History of_key = operations_on(*board, key);
        count_hits(of_key);
        const History contradicting = test::contradiction(of_key);
        if (contradicting.empty()) continue;
        if (++wrong > 1) continue;  // one is enough to read
        ADD_FAILURE() << "seed " << seed << ", history " << history << ": no order explains these operations on key "
                      << key << ":\n"
                      << test::text_of(contradicting) << "among all on that key:\n"
                      << test::text_of(of_key);
      }
    }
    board->history.store(Board::k_end);
    for (Child& child : children) EXPECT_TRUE(child.succeeded(60s)) << "a fault or a hang";
    EXPECT_EQ(wrong, 0U) << "of " << histories * k_keys << " histories of a key";
    EXPECT_GT(hits_, histories) << "hardly anything was found: the test showed nothing";
    EXPECT_GT(foreign_hits_, histories / 4) << "hardly anything of another process was found";
  }

 private:
  static History operations_on(const Board& board, std::uint32_t key) {
    History history;
    for (const Lane& lane : board.lanes) {
      std::ranges::copy_if(std::span(lane.operations).first(lane.count), std::back_inserter(history),
                           [&](const Operation& operation) { return operation.key == key; });
    }
    return history;
  }

  void count_hits(const History& history) {
    for (const Operation& operation : history) {
      if (operation.kind != Kind::get || operation.result == 0) continue;
      ++hits_;
      if (operation.result / 1000 / k_threads != operation.process) ++foreign_hits_;
    }
  }

  std::uint64_t hits_ = 0;
  std::uint64_t foreign_hits_ = 0;
};

TEST_F(SharedStore, WrittenThroughIsLinearizable) {
  expect_linearizable({.write = {"through", "through"}, .memory = "0"});
}

TEST_F(SharedStore, WrittenThroughWithMemoryIsLinearizable) {
  expect_linearizable({.write = {"through", "through"}, .memory = "16MiB"});
}

TEST_F(SharedStore, WrittenBackIsLinearizable) {
  expect_linearizable({.write = {"back", "back"}, .memory = "0"});
}

TEST_F(SharedStore, WrittenBackWithMemoryIsLinearizable) {
  expect_linearizable({.write = {"back", "back"}, .memory = "16MiB"});
}

TEST_F(SharedStore, WrittenThroughByOnesAndBackByOthersIsLinearizable) {
  expect_linearizable({.write = {"through", "back"}, .memory = "16MiB"});
}

TEST_F(SharedStore, ThatIsSmallAndAlwaysReclaimedIsLinearizable) {
  expect_linearizable({.write = {"through", "back"}, .memory = "64KiB", .store = "8MiB"});
}

}  // namespace
}  // namespace larder
