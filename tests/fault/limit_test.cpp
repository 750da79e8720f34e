// The limit, as the file system sees it: a small one of its own, asked every millisecond for the room that is taken,
// while processes put, overwrite, remove, clear, hold large views and let them go, and are killed.
#include <gtest/gtest.h>

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <random>
#include <string>
#include <thread>

#include "store/format.hpp"
#include "store/store.hpp"
#include "support/mount_namespace.hpp"
#include "support/roles.hpp"
#include "support/temporary_directory.hpp"

namespace larder::store {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint64_t k_mib = std::uint64_t{1} << 20;
constexpr std::uint64_t k_limit = 64 * k_mib;
constexpr std::uint64_t k_keys = 200;
constexpr std::size_t k_views_max = 8;
constexpr std::size_t k_workers = 3;

// Works until it is killed.
[[noreturn]] void work(const fs::path& directory, std::uint64_t seed) {
  observe::Counters counters;
  const std::unique_ptr<Store> store =
      Store::open({directory, k_limit, Verification::boot, Durability::relaxed, &counters}).value();
  std::mt19937_64 random(seed);
  const std::string bytes(8 * k_mib, 'x');
  std::deque<Lookup> views;
  while (true) {
    const Key key{"k", static_cast<std::int64_t>(random() % k_keys)};
    const std::uint64_t what = random() % 100;
    if (what < 70) {
      // Small ones, large ones, and some that are most of a segment, or more.
      const std::size_t size = random() % (std::uint64_t{1} << (10 + random() % 14));
      const Bytes value = std::as_bytes(std::span(bytes)).first(std::min(size, bytes.size()));
      static_cast<void>(store->put(key, {"text"}, std::span(&value, 1), store->stamp(key)));
    } else if (what < 90) {
      views.push_back(store->get(key));
      if (views.size() > k_views_max) views.pop_front();
    } else if (what < 96) {
      store->remove(key);
    } else if (what < 99) {
      views.clear();
      store->maintain();
    } else if (random() % 4 == 0) {
      store->clear();
    }
  }
}

std::uint64_t bytes_taken(const fs::path& file_system) {
  struct statvfs status {};
  if (::statvfs(file_system.c_str(), &status) != 0) return UINT64_MAX;
  return static_cast<std::uint64_t>(status.f_blocks - status.f_bfree) * status.f_frsize;
}

// The most that was taken at any time, by processes of which one is killed every now and then.
std::uint64_t most_taken(const fs::path& file_system, std::chrono::milliseconds duration) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> most{0};
  const fs::path directory = file_system / "store";
  std::uint64_t seed = 0;
  const auto start = [&] {
    const pid_t child = ::fork();
    ++seed;
    if (child == 0) work(directory, seed);
    return child;
  };
  const auto end = [](pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  };
  std::array<pid_t, k_workers> workers{};
  for (pid_t& worker : workers) worker = start();
  std::thread sampler([&] {
    while (!stop.load()) {
      most.store(std::max(most.load(), bytes_taken(file_system)));
      std::this_thread::sleep_for(1ms);
    }
  });
  const auto until = std::chrono::steady_clock::now() + duration;
  std::mt19937_64 random(1);
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50 + random() % 400));
    pid_t& worker = workers[random() % k_workers];
    end(worker);
    worker = start();
  }
  for (const pid_t worker : workers) end(worker);
  stop.store(true);
  sampler.join();
  return most.load();
}

TEST(Limit, HoldsOnARealFileSystemAtEveryMillisecondWhateverProcessesDo) {
  test::TemporaryDirectory directory;
  const auto duration = test::long_run() ? 120s : 3s;
  test::expect_zero_or_no_namespaces(test::in_namespace([&] {
    if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=256m") != 0) return 77;
    const std::uint64_t most = most_taken(directory.path(), duration);
    const std::uint64_t segment = Geometry::for_limit(k_limit).segment_bytes;
    std::printf("  at most %.2f MiB were taken, of %.0f MiB, a segment being %.0f MiB\n",
                static_cast<double>(most) / static_cast<double>(k_mib), static_cast<double>(k_limit / k_mib),
                static_cast<double>(segment / k_mib));
    std::fflush(stdout);
    if (most < k_limit / 2) return 2;  // they did not fill it
    return most <= k_limit + segment ? 0 : 3;
  }));
}

}  // namespace
}  // namespace larder::store
