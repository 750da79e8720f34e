// Which processes map files of a directory.
#include <gtest/gtest.h>
#include <algorithm>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "os/os.hpp"
#include "support/temporary_directory.hpp"

namespace larder::os {
namespace {

const Mapper* find_mapper(const Mappers& mappers, pid_t pid) {
  const auto found = std::ranges::find(mappers.processes, pid, &Mapper::pid);
  return found == mappers.processes.end() ? nullptr : &*found;
}

TEST(Mappers, AreNamedWithTheFilesBelowTheDirectoryDeletedOnesIncludedAndChildrenToo) {
  const test::TemporaryDirectory temporary;
  const std::filesystem::path directory = std::filesystem::canonical(temporary.path());
  const std::filesystem::path path = directory / "a file (deleted)";
  const File file = File::open(path, O_RDWR | O_CREAT).value();
  ASSERT_TRUE(file.allocate(8192));
  EXPECT_EQ(find_mapper(mappers(directory), process_id()), nullptr);
  {
    const Mapping once = Mapping::map(file, 4096, Mapping::Access::read).value();
    const Mapping twice = Mapping::map(file, 8192, Mapping::Access::read).value();
    const Mappers now = mappers(directory);
    const Mapper* const self = find_mapper(now, process_id());
    ASSERT_NE(self, nullptr);
    EXPECT_EQ(self->command, "os_test");
    ASSERT_EQ(self->files.size(), 1u) << "each file once";
    EXPECT_EQ(self->files[0].bytes, 8192u);
    EXPECT_EQ(find_mapper(mappers(directory / "a"), process_id()), nullptr) << "another directory that begins alike";

    ASSERT_TRUE(unlink(path));
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    const Mappers later = mappers(directory);
    for (const pid_t pid : {process_id(), child}) {
      const Mapper* const one = find_mapper(later, pid);
      ASSERT_NE(one, nullptr);
      EXPECT_TRUE(one->files[0].deleted);
      EXPECT_EQ(one->files[0].path, path.string());
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  EXPECT_EQ(find_mapper(mappers(directory), process_id()), nullptr);
}

TEST(Mappers, ProcessesThatMayNotBeLookedIntoAreCounted) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const test::TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    ::_exit(mappers(directory.path()).unreadable > 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace larder::os
