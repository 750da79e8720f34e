// Compute once, among processes: many ask for the same cold keys at once, leaders are killed, and every
// computation is written down in a log that outlives them.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include <larder/larder.hpp>

#include "support/roles.hpp"
#include "support/temporary_directory.hpp"
#include "support/values.hpp"

namespace larder {
namespace {

using namespace std::chrono_literals;
using test::Arguments;
using test::Child;

constexpr int k_processes = 16;
constexpr int k_threads = 4;
constexpr int k_keys = 200;
constexpr std::size_t k_value_bytes_max = 64 * 1024;

// Appends one line to a file that many processes append to.
void log_line(const std::string& path, const std::string& line) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
  ::close(fd);
}

void wait_for_file(const std::string& path) {
  while (::access(path.c_str(), F_OK) != 0) std::this_thread::sleep_for(1ms);
}

// Arguments: store directory, log, file that says go, number of keys, milliseconds a computation takes.
// Every thread asks for all keys, each in an order of its own.
LARDER_ROLE(asker) {
  Cache cache = Cache::open({.directory = arguments[0], .store = Size("256MiB")}).value();
  const std::string& log = arguments[1];
  const int keys = std::stoi(arguments[3]);
  const auto takes = std::chrono::milliseconds(std::stoi(arguments[4]));
  wait_for_file(arguments[2]);
  std::atomic<bool> wrong = false;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < k_threads; ++t) {
      threads.emplace_back([&, t] {
        std::vector<int> order(static_cast<std::size_t>(keys));
        for (int k = 0; k < keys; ++k) order[static_cast<std::size_t>(k)] = k;
        std::shuffle(order.begin(), order.end(), std::mt19937(static_cast<unsigned>(::getpid() * 64 + t)));
        for (const int k : order) {
          const Ref<std::string> value = cache.get_or_compute(Key{"cold", k}, [&] {
            log_line(log, "start " + std::to_string(k) + " " + std::to_string(::getpid()) + "\n");
            std::this_thread::sleep_for(takes);
            return test::value_of(static_cast<std::uint64_t>(k), 0, k_value_bytes_max);
          });
          if (*value != test::value_of(static_cast<std::uint64_t>(k), 0, k_value_bytes_max)) wrong = true;
        }
      });
    }
  }
  return wrong ? 1 : 0;
}

// Arguments: store directory, own key, the other's key, file to make when leading, file to wait for.
// Computes its own key from the other's. Returns 7 if told that this is a cycle.
LARDER_ROLE(circular) {
  Cache cache = Cache::open({.directory = arguments[0], .store = Size("64MiB")}).value();
  try {
    (void)cache.get_or_compute(Key{arguments[1]}, [&] {
      std::ofstream(arguments[3]) << "leading";
      wait_for_file(arguments[4]);
      return 1 + *cache.get_or_compute(Key{arguments[2]}, [&]() -> int {
        // The other process gave up first: what it computes from is ours.
        return *cache.get_or_compute(Key{arguments[1]}, [] { return 0; });
      });
    });
  } catch (const Error& error) {
    return error.code() == Errc::cycle ? 7 : 1;
  }
  return 0;
}

// Arguments: store directory, key, file to make when leading. Computes slowly.
LARDER_ROLE(slow) {
  Cache cache = Cache::open({.directory = arguments[0], .store = Size("64MiB")}).value();
  (void)cache.get_or_compute(Key{arguments[1]}, [&] {
    std::ofstream(arguments[2]) << "leading";
    std::this_thread::sleep_for(300ms);
    return 5;
  });
  return 0;
}

// The processes that started to compute each key, in order.
std::map<int, std::vector<pid_t>> starts(const std::string& log) {
  std::map<int, std::vector<pid_t>> by_key;
  std::ifstream file(log);
  std::string word;
  int key = 0;
  pid_t pid = 0;
  while (file >> word >> key >> pid) by_key[key].push_back(pid);
  return by_key;
}

struct Stage {
  test::TemporaryDirectory directory;
  std::string store = (directory.path() / "store").string();
  std::string log = (directory.path() / "log").string();
  std::string go = (directory.path() / "go").string();

  Child start(int keys, int takes_ms) const {
    return test::start_role("asker", {store, log, go, std::to_string(keys), std::to_string(takes_ms)});
  }
};

TEST(ProcessSingleFlight, SixteenProcessesOfFourThreadsComputeTwoHundredColdKeysTwoHundredTimes) {
  const Stage stage;
  std::vector<Child> children;
  for (int i = 0; i < k_processes; ++i) children.push_back(stage.start(k_keys, 1));
  std::this_thread::sleep_for(200ms);
  std::ofstream(stage.go) << "go";
  for (Child& child : children) EXPECT_TRUE(child.succeeded(100s)) << "a wrong value, a fault or a hang";
  const auto by_key = starts(stage.log);
  EXPECT_EQ(by_key.size(), static_cast<std::size_t>(k_keys));
  std::size_t computations = 0;
  for (const auto& [key, pids] : by_key) computations += pids.size();
  EXPECT_EQ(computations, static_cast<std::size_t>(k_keys));
}

TEST(ProcessSingleFlight, AKilledLeaderIsReplacedByExactlyOneAndNobodyHangs) {
  const int rounds = test::long_run() ? 50 : 4;
  std::mt19937 random(7);
  std::size_t takeovers = 0;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    const Stage stage;
    constexpr int k_few_keys = 40;
    std::vector<Child> children;
    for (int i = 0; i < k_processes; ++i) children.push_back(stage.start(k_few_keys, 100));
    std::this_thread::sleep_for(100ms);
    std::ofstream(stage.go) << "go";
    while (starts(stage.log).size() < k_few_keys / 2) std::this_thread::sleep_for(1ms);  // so that leaders are hit
    std::set<pid_t> killed;
    while (killed.size() < k_processes / 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5 + random() % 20));
      Child& victim = children[killed.size()];
      victim.kill();
      killed.insert(victim.pid());
    }
    for (std::size_t i = killed.size(); i < children.size(); ++i) {
      EXPECT_TRUE(children[i].succeeded(60s)) << "a wrong value, a fault or a hang";
    }
    const auto by_key = starts(stage.log);
    EXPECT_EQ(by_key.size(), static_cast<std::size_t>(k_few_keys)) << "every key was computed";
    for (const auto& [key, pids] : by_key) {
      takeovers += pids.size() - 1;
      for (std::size_t i = 0; i + 1 < pids.size(); ++i) {
        EXPECT_TRUE(killed.contains(pids[i])) << "key " << key << " was computed again though its leader lived";
      }
    }
  }
  EXPECT_GT(takeovers, 0U) << "no leader was hit: the test showed nothing";
}

TEST(ProcessSingleFlight, ACycleThroughTwoProcessesIsToldAndNobodyHangs) {
  const test::TemporaryDirectory directory;
  const auto path = [&](const char* name) { return (directory.path() / name).string(); };
  Child one = test::start_role("circular", {path("store"), "x", "y", path("one"), path("two")});
  Child two = test::start_role("circular", {path("store"), "y", "x", path("two"), path("one")});
  const std::optional<int> first = one.wait(60s);
  const std::optional<int> second = two.wait(60s);
  ASSERT_TRUE(first && second) << "a hang";
  // The second to wait is told; the first then computes the other's key itself and is told, too.
  EXPECT_EQ(WEXITSTATUS(*first), 7);
  EXPECT_EQ(WEXITSTATUS(*second), 7);
}

TEST(ProcessSingleFlight, AWaitThatAKilledProcessAnnouncedIsNotBelieved) {
  const test::TemporaryDirectory directory;
  const auto path = [&](const char* name) { return (directory.path() / name).string(); };
  {
    // Leads y, then waits for x, which this process leads, and is killed.
    Cache cache = Cache::open({.directory = path("store"), .store = Size("64MiB")}).value();
    Claim<int> x = cache.claim<int>(Key{"x"});
    Child child = test::start_role("circular", {path("store"), "y", "x", path("child"), path("child")});
    wait_for_file(path("child"));
    std::this_thread::sleep_for(200ms);
    child.kill();
    ASSERT_TRUE(child.wait(10s));
    // Another process computes y now, from nothing. To wait for it is no cycle, whatever the dead one said.
    Child slow = test::start_role("slow", {path("store"), "y", path("slow")});
    wait_for_file(path("slow"));
    EXPECT_EQ(*cache.get_or_compute(Key{"y"}, [] { return 0; }), 5);
    EXPECT_TRUE(slow.succeeded(10s));
    (void)x.fulfil(6);
  }
}

// Values are fresh for a second, and due for an hour after that.
const EntryOptions k_windows = {.ttl = 1s, .stale_while_revalidate = 1h};

Cache open_at(const std::string& directory, std::int64_t now_ms) {
  return Cache::open({.directory = directory, .store = Size("64MiB"), .clock = [now_ms] { return now_ms; }}).value();
}

// Arguments: store directory, file that says that it computes. Begins to compute anew what is due, and never ends.
LARDER_ROLE(endless_refresh) {
  Cache cache = open_at(arguments[0], 2000);
  cache.get_or_compute(
      Key{"due"},
      [&] {
        log_line(arguments[1], "");
        while (true) ::pause();
        return 0;
      },
      k_windows);
  return 1;
}

TEST(ProcessSingleFlight, WhileAnotherProcessRefreshesTheOlderValueIsAnsweredAndIfItIsKilledTheNextOneTakesOver) {
  const test::TemporaryDirectory directory;
  const auto path = [&](const char* name) { return (directory.path() / name).string(); };
  {
    Cache cache = open_at(path("store"), 0);
    cache.get_or_compute(
        Key{"due"}, [] { return 1; }, k_windows);
  }
  Child child = test::start_role("endless_refresh", {path("store"), path("computes")});
  wait_for_file(path("computes"));
  Cache cache = open_at(path("store"), 2000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*cache.get_or_compute(
                  Key{"due"}, [] { return 2; }, k_windows),
              1);
  }
  EXPECT_FALSE(cache.get<int>(Key{"due"}));
  child.kill();
  ASSERT_TRUE(child.wait(10s));
  EXPECT_EQ(*cache.get_or_compute(
                Key{"due"}, [] { return 3; }, k_windows),
            3);
  EXPECT_EQ(**cache.get<int>(Key{"due"}), 3);
}

}  // namespace
}  // namespace larder
