// Leases to compute: one holder among all threads and processes; the kernel releases what a killed process held.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

TEST(Lease, OneHolderAmongThreadsAndProcesses) {
  const Directory directory;
  Process a(directory);
  Process b(directory);
  std::optional<Lease> held = a.store->try_lease(Key{"k"});
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->held());
  EXPECT_FALSE(a.store->try_lease(Key{"k"}));
  EXPECT_FALSE(b.store->try_lease(Key{"k"}));
  EXPECT_TRUE(b.store->try_lease(Key{"other"}));
  held.reset();
  EXPECT_TRUE(b.store->try_lease(Key{"k"}));
}

TEST(Lease, MovesAndOutlivesItsStore) {
  const Directory directory;
  Process other(directory);
  auto process = std::make_unique<Process>(directory);
  Lease moved;
  {
    std::optional<Lease> lease = process->store->try_lease(Key{"k"});
    moved = *std::move(lease);
  }
  process.reset();
  EXPECT_TRUE(moved.held());
  EXPECT_FALSE(other.store->try_lease(Key{"k"}));
  std::thread([&] { moved.release(); }).join();
  EXPECT_TRUE(other.store->try_lease(Key{"k"}));
}

TEST(Lease, AWaiterGetsItWhenTheHolderLetsGo) {
  const Directory directory;
  Process a(directory);
  Process b(directory);
  for (Process* waiting : {&a, &b}) {
    std::optional<Lease> held = a.store->try_lease(Key{"k"});
    ASSERT_TRUE(held);
    std::optional<Lease> got;
    std::thread waiter([&] { got = waiting->store->wait_lease(Key{"k"}); });
    held.reset();
    waiter.join();
    EXPECT_TRUE(got);
  }
}

// The system looks through all locks of a file for each one that is taken there.
TEST(Lease, OfManyKeysAreSpreadOverManyFiles) {
  const Directory directory;
  Process process(directory);
  constexpr std::size_t k_held = 1000;
  std::vector<Lease> held;
  for (std::size_t i = 0; i < k_held; ++i) held.push_back(*process.store->try_lease(Key{"k", i}));
  std::size_t seen = 0;
  std::error_code closed;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    const std::filesystem::path file = std::filesystem::read_symlink(fd.path(), closed);
    if (closed || file.parent_path() != std::filesystem::canonical(directory.files().locks())) continue;
    std::ifstream info(std::filesystem::path("/proc/self/fdinfo") / fd.path().filename());
    std::size_t locks_of_file = 0;
    for (std::string line; std::getline(info, line);) {
      // lock:	1: OFDLCK ADVISORY  WRITE -1 00:1b:1243470 first last
      if (line.find("OFDLCK") != std::string::npos && line.find("WRITE") != std::string::npos) ++locks_of_file;
    }
    EXPECT_LT(locks_of_file, k_held / 10) << file;
    seen += locks_of_file;
  }
  EXPECT_EQ(seen, k_held);
}

TEST(Lease, IsHeldAlsoForAProcessInWhosePidNamespaceTheHolderIsNot) {
  const Directory directory;
  Process process(directory);
  const std::optional<Lease> held = process.store->try_lease(Key{"k"});
  ASSERT_TRUE(held);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(::geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWPID) != 0) ::_exit(77);
    const pid_t first_of_namespace = ::fork();
    if (first_of_namespace == 0) {
      Process other(directory);
      const bool right = !other.store->try_lease(Key{"k"}) && other.store->try_lease(Key{"free"});
      ::_exit(right ? 0 : 1);
    }
    int status = 0;
    ::waitpid(first_of_namespace, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this system allows no pid namespaces";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Lease, AKilledProcessReleasesIts) {
  const Directory directory;
  Process process(directory);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Process inside(directory);
    const std::optional<Lease> lease = inside.store->try_lease(Key{"k"});
    const char byte = lease ? '1' : '0';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, '1');
  EXPECT_FALSE(process.store->try_lease(Key{"k"}));
  ::kill(child, SIGKILL);
  EXPECT_TRUE(process.store->wait_lease(Key{"k"}));
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(Lease, AForkedChildHoldsNeitherLeasesNorBreaksThem) {
  const Directory directory;
  Process process(directory);
  std::optional<Lease> held = process.store->try_lease(Key{"k"});
  ASSERT_EQ(process.put(Key{"view"}, noise(100'000, 1)), Put::stored);
  Lookup view = process.store->get(Key{"view"});
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool same = Process::text(view.found->value) == noise(100'000, 1);
    view.found.reset();
    held.reset();
    process.store.reset();
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) ::_exit(2);
    ::_exit(same ? 0 : 1);
  }
  Process other(directory);
  EXPECT_FALSE(other.store->try_lease(Key{"k"}));
  held.reset();
  EXPECT_TRUE(other.store->try_lease(Key{"k"})) << "the living child must not hold on to it";
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(Process::text(view.found->value) == noise(100'000, 1));
  ::close(go[0]);
  ::close(go[1]);
}

TEST(Lease, AChildThatOutlivesAKilledProcessHoldsNeitherItsLeasesNorItsPins) {
  const Directory directory;
  constexpr std::uint64_t k_limit = 16 * k_mib;
  const std::string value = noise(2 * k_mib, 1);
  int ready[2];
  int go[2];
  int answer[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  ASSERT_EQ(::pipe(answer), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    Process leading(directory, k_limit);
    const std::optional<Lease> lease = leading.store->try_lease(Key{"k"});
    std::vector<Lookup> pins;
    for (int i = 0; i < 6; ++i) {
      leading.put(Key{"pinned", i}, value);
      pins.push_back(leading.store->get(Key{"pinned", i}));
    }
    char byte = lease ? '1' : '0';
    if (::fork() == 0) {
      static_cast<void>(::write(ready[1], &byte, 1));
      if (::read(go[0], &byte, 1) != 1) ::_exit(1);
      const bool readable = std::ranges::all_of(
          pins, [&](const Lookup& pin) { return pin.found && Process::text(pin.found->value) == value; });
      byte = readable ? 'y' : 'n';
      static_cast<void>(::write(answer[1], &byte, 1));
      ::_exit(0);
    }
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, '1');
  Process process(directory, k_limit);
  EXPECT_FALSE(process.store->try_lease(Key{"k"}));
  EXPECT_EQ(process.put(Key{"large"}, noise(10 * k_mib, 2)), Put::no_room) << "pins fill the store";
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(process.store->try_lease(Key{"k"}));
  // What only the child maps is waited for, but not for long.
  Put put = Put::no_room;
  for (int i = 0; i < 200 && put == Put::no_room; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    put = process.put(Key{"large"}, noise(10 * k_mib, 2));
  }
  EXPECT_EQ(put, Put::stored);
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  ASSERT_EQ(::read(answer[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y') << "what it views stays readable";
  for (const int* both : {ready, go, answer}) {
    ::close(both[0]);
    ::close(both[1]);
  }
}

}  // namespace
}  // namespace larder::store
