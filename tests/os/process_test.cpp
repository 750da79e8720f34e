// Locks between processes, fork, and what is known of the machine.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "os/os.hpp"
#include "support/temporary_directory.hpp"

namespace larder::os {
namespace {

// The exit status of a forked child that runs `body`.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(LockFile, ExcludesOtherLockFilesByteByByte) {
  const test::TemporaryDirectory directory;
  const LockFile one = LockFile::open(directory.path() / "l").value();
  const LockFile two = LockFile::open(directory.path() / "l").value();
  EXPECT_TRUE(one.try_lock(5).value());
  EXPECT_FALSE(two.try_lock(5).value());
  EXPECT_TRUE(two.try_lock((std::uint64_t{1} << 61) + 6).value()) << "offsets beyond any file size";
  EXPECT_TRUE(two.held_elsewhere(5));
  EXPECT_FALSE(one.held_elsewhere(5)) << "one's own lock is not somebody else's";
  one.unlock(5);
  EXPECT_TRUE(two.try_lock(5).value());
}

TEST(File, MarkedInUseIsSoUntilNothingThatWasMappedOfItIsLeft) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "f";
  if (file_system(directory.path()).value().name == "overlayfs") GTEST_SKIP() << "there a mapping is of the file below";
  EXPECT_FALSE(in_use(path)) << "there is none";
  std::optional<Mapping> mapping;
  {
    const File file = File::open(path, O_RDWR | O_CREAT).value();
    ASSERT_TRUE(file.allocate(4096));
    EXPECT_FALSE(in_use(path)) << "not marked";
    ASSERT_TRUE(file.mark_in_use());
    EXPECT_TRUE(in_use(path));
    mapping = Mapping::map(file, 4096, Mapping::Access::read).value();
  }
  EXPECT_TRUE(in_use(path)) << "by the mapping alone";
  static_cast<void>(File::open(path, O_RDONLY).value());
  EXPECT_TRUE(in_use(path)) << "whatever else is closed of it";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    static_cast<void>(::write(ready[1], "!", 1));
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  mapping.reset();
  EXPECT_TRUE(in_use(path)) << "by what the child inherited";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(in_use(path)) << "a process that was waited for has given back everything";
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(LockFile, SharedLocksExcludeExclusiveOnesOnly) {
  const test::TemporaryDirectory directory;
  const LockFile one = LockFile::open(directory.path() / "l").value();
  const LockFile two = LockFile::open(directory.path() / "l").value();
  EXPECT_TRUE(one.try_lock_shared(1).value());
  EXPECT_TRUE(two.try_lock_shared(1).value());
  EXPECT_FALSE(two.try_lock(1).value());
  one.unlock(1);
  EXPECT_TRUE(two.try_lock(1).value());
}

TEST(LockFile, AKilledProcessReleasesItsLocksAndWakesWhoWaits) {
  const test::TemporaryDirectory directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const LockFile held = LockFile::open(directory.path() / "l").value();
    const bool locked = held.try_lock(9).value();
    static_cast<void>(::write(ready[1], &locked, 1));
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const LockFile mine = LockFile::open(directory.path() / "l").value();
  EXPECT_FALSE(mine.try_lock(9).value());
  ::kill(child, SIGKILL);
  EXPECT_TRUE(mine.lock(9)) << "sleeps until the kernel has released it";
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(Fork, TheGenerationGrowsInTheChildAlone) {
  const std::uint64_t before = fork_generation();
  EXPECT_EQ(in_child([before] { return fork_generation() == before + 1 ? 0 : 1; }), 0);
  EXPECT_EQ(fork_generation(), before);
}

TEST(Fork, ListedDescriptorsAreClosedInTheChildAndStayOpenInTheParent) {
  const int listed = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int other = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_TRUE(close_on_fork(listed));
  EXPECT_EQ(in_child([=] { return ::fcntl(listed, F_GETFD) == -1 && ::fcntl(other, F_GETFD) != -1 ? 0 : 1; }), 0);
  EXPECT_NE(::fcntl(listed, F_GETFD), -1);
  keep_on_fork(listed);
  EXPECT_EQ(in_child([=] { return ::fcntl(listed, F_GETFD) != -1 ? 0 : 1; }), 0);
  ::close(listed);
  ::close(other);
}

TEST(Machine, HasABootIdThatStaysAndAMemorySize) {
  const BootId id = boot_id();
  EXPECT_NE(id, BootId{});
  EXPECT_EQ(boot_id(), id);
  EXPECT_GT(memory_bytes(), std::uint64_t{64} << 20);
}

TEST(Machine, NamesFileSystemsAndSaysWhichAreTrusted) {
  const FileSystem proc = file_system("/proc").value();
  EXPECT_FALSE(proc.trusted);
  EXPECT_EQ(proc.name.substr(0, 2), "0x") << "unknown ones are named by their number";
  const test::TemporaryDirectory directory;
  EXPECT_GT(file_system(directory.path()).value().bytes, 0U);
  EXPECT_FALSE(file_system(directory.path() / "absent"));
}

TEST(Machine, RandomBytesFillLongBuffersAndDiffer) {
  std::array<std::byte, 1000> one{};
  std::array<std::byte, 1000> two{};
  random_bytes(one);
  random_bytes(two);
  EXPECT_NE(one, two);
  EXPECT_NE(std::count(one.begin() + 900, one.end(), std::byte{0}), 100) << "the end is filled, too";
}

}  // namespace
}  // namespace larder::os
