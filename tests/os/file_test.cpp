// Files, mappings, directories, and the hooks in front of them.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <latch>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "os/os.hpp"
#include "support/temporary_directory.hpp"

namespace larder::os {
namespace {

Bytes bytes_of(const std::vector<std::uint8_t>& numbers) {
  return std::as_bytes(std::span(numbers));
}

std::vector<std::uint8_t> read_all(const File& file) {
  std::vector<std::uint8_t> content(file.size().value());
  const std::size_t got = file.read_at(0, std::as_writable_bytes(std::span(content))).value();
  content.resize(got);
  return content;
}

TEST(File, WritesPiecesOneAfterTheOtherEvenMoreThanOneSystemCallTakes) {
  const test::TemporaryDirectory directory;
  const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT).value();
  // 3000 pieces (a call takes 1024), one of them of 20 MiB (a call is cut at 8), some empty.
  std::vector<std::vector<std::uint8_t>> contents(3000);
  std::vector<Bytes> pieces;
  std::vector<std::uint8_t> expected(100, 0);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    contents[i].assign(i == 1500 ? (20U << 20U) + 3 : i % 5, static_cast<std::uint8_t>(i));
    pieces.push_back(bytes_of(contents[i]));
    expected.insert(expected.end(), contents[i].begin(), contents[i].end());
  }
  ASSERT_TRUE(file.write_at(100, pieces));
  EXPECT_TRUE(read_all(file) == expected);
}

TEST(File, ReadsShortOnlyAtTheEnd) {
  const test::TemporaryDirectory directory;
  const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT).value();
  const std::vector<std::uint8_t> content = {1, 2, 3};
  const Bytes piece = bytes_of(content);
  ASSERT_TRUE(file.write_at(0, std::span(&piece, 1)));
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(file.read_at(1, buffer).value(), 2U);
  EXPECT_EQ(file.read_at(3, buffer).value(), 0U);
}

TEST(File, AUsersFileIsReadBehindLinksAndWhatHasNoContentIsRefusedWithoutWaiting) {
  const test::TemporaryDirectory directory;
  std::ofstream(directory.path() / "f") << "abc";
  std::filesystem::create_symlink("f", directory.path() / "link");
  EXPECT_EQ(File::open_regular(directory.path() / "link").value().size().value(), 3U);
  EXPECT_FALSE(File::open(directory.path() / "link", O_RDONLY)) << "the store's own files are no links";
  ASSERT_EQ(::mkfifo((directory.path() / "fifo").c_str(), 0600), 0);
  for (const std::filesystem::path& path :
       {directory.path() / "fifo", directory.path(), std::filesystem::path("/dev/null")}) {
    const Result<File> file = File::open_regular(path);
    ASSERT_FALSE(file);
    EXPECT_EQ(std::string(file.error().what()).find(path.string() + " is "), 0U) << file.error().what();
    EXPECT_NE(file.error().help(), "");
  }
  EXPECT_EQ(File::open_regular(directory.path() / "absent").error().code(), Errc::not_found);
}

TEST(File, AMissingFileIsNotFoundAndTheErrorNamesIt) {
  const test::TemporaryDirectory directory;
  const Result<File> file = File::open(directory.path() / "absent", O_RDONLY);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), Errc::not_found);
  EXPECT_NE(std::string(file.error().what()).find("absent"), std::string::npos);
}

TEST(File, ASymbolicLinkIsNotFollowed) {
  const test::TemporaryDirectory directory;
  std::ofstream(directory.path() / "real") << "x";
  std::filesystem::create_symlink("real", directory.path() / "link");
  EXPECT_FALSE(File::open(directory.path() / "link", O_RDONLY));
}

TEST(File, OneThatWouldPassTheProcessesLimitIsRefusedWithoutASignal) {
  const test::TemporaryDirectory directory;
  for (const std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{1000}}) {
    SCOPED_TRACE(limit);
    const pid_t child = ::fork();
    if (child == 0) {
      const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT | O_TRUNC).value();
      const File longer = File::open(directory.path() / "longer", O_RDWR | O_CREAT | O_TRUNC).value();
      if (!longer.allocate(4096)) ::_exit(8);
      const rlimit limits{limit, limit};
      if (::setrlimit(RLIMIT_FSIZE, &limits) != 0) ::_exit(9);
      const auto refused = [](const Result<void>& result) {
        return !result && result.error().code() == Errc::no_space;
      };
      const std::vector<std::uint8_t> content(1001);
      const Bytes all = bytes_of(content);
      const Bytes within = all.first(limit);
      const bool right = refused(file.write_at(0, std::span(&all, 1))) && refused(file.allocate(1001)) &&
                         file.write_at(0, std::span(&within, 1)) && file.size().value() == limit &&
                         longer.allocate(4096);  // what is long enough does not grow
      ::_exit(right ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << "a signal ended it";
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

TEST(File, AllocatedRoomIsReal) {
  const test::TemporaryDirectory directory;
  const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT).value();
  ASSERT_TRUE(file.allocate(1 << 20));
  struct stat status {};
  ASSERT_EQ(::fstat(file.fd(), &status), 0);
  EXPECT_EQ(status.st_size, 1 << 20);
  EXPECT_GE(status.st_blocks * 512, 1 << 20) << "a hole could not be written through a mapping on a full disk";
}

TEST(File, ErrorsAreOfTheKindThatTheirCureNeeds) {
  EXPECT_EQ(error(ENOSPC, "write", "f").code(), Errc::no_space);
  EXPECT_EQ(error(EDQUOT, "write", "f").code(), Errc::no_space);
  EXPECT_EQ(error(EROFS, "write", "f").code(), Errc::permission);
  EXPECT_EQ(error(EACCES, "open", "f").code(), Errc::permission);
  EXPECT_EQ(error(EIO, "read", "f").code(), Errc::io);
  EXPECT_FALSE(error(ENOSPC, "write", "f").help().empty());
}

TEST(Mapping, SeesWhatIsWrittenToTheFile) {
  const test::TemporaryDirectory directory;
  const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT).value();
  ASSERT_TRUE(file.allocate(8192));
  const Mapping mapping = Mapping::map(file, 8192, Mapping::Access::read).value();
  const std::vector<std::uint8_t> content = {7, 8, 9};
  const Bytes piece = bytes_of(content);
  ASSERT_TRUE(file.write_at(5000, std::span(&piece, 1)));
  EXPECT_EQ(mapping.data()[5001], std::byte{8});
}

// Pages of the mapped file that are in the page cache.
std::ptrdiff_t pages_in_memory(const Mapping& mapping) {
  std::vector<unsigned char> pages(mapping.size() / 4096);
  if (mincore(mapping.data(), mapping.size(), pages.data()) != 0) return -1;
  return std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; });
}

TEST(Mapping, PopulatingReadsNoMoreFromTheDiskThanItIsAskedFor) {
  const test::TemporaryDirectory directory;
  const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT).value();
  const std::vector<std::byte> content(std::size_t{16} << 20);
  const Bytes piece(content);
  ASSERT_TRUE(file.write_at(0, std::span(&piece, 1)));
  ASSERT_TRUE(file.sync());
  ASSERT_EQ(posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED), 0);
  const Mapping mapping = Mapping::map(file, content.size(), Mapping::Access::read).value();
  if (pages_in_memory(mapping) != 0) GTEST_SKIP() << "this file system keeps its files in memory";
  ASSERT_TRUE(mapping.populate(std::uint64_t{8} << 20, 8192, "f"));
  EXPECT_LE(pages_in_memory(mapping), 16);  // a fault alone brings in 32 at least
}

TEST(Mapping, PopulatingBeyondTheEndOfTheFileIsAnErrorAndNoSignal) {
  const test::TemporaryDirectory directory;
  const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT).value();
  ASSERT_TRUE(file.allocate(4096));
  const Mapping mapping = Mapping::map(file, 65536, Mapping::Access::read).value();
  EXPECT_TRUE(mapping.populate(0, 4096, "f"));
  EXPECT_FALSE(mapping.populate(8192, 4096, "f"));
}

TEST(Directories, AreMadePrivateWithTheirParents) {
  const test::TemporaryDirectory directory;
  const ::mode_t before = ::umask(0);
  ASSERT_TRUE(make_directories(directory.path() / "a" / "b"));
  ::umask(before);
  EXPECT_EQ(ownership(directory.path() / "a").value().mode, 0700U);
  EXPECT_EQ(ownership(directory.path() / "a" / "b").value().mode, 0700U);
  EXPECT_TRUE(make_directories(directory.path() / "a" / "b")) << "already there";
}

// Root may give files to any group, others to their own.
gid_t some_group() {
  return ::geteuid() == 0 ? 54321 : ::getegid();
}

TEST(Audience, WhatIsMadeHasItsModesAndItsGroupUnderAnyUmask) {
  for (const ::mode_t mask : {0777U, 0000U, 0022U}) {
    for (const Audience& audience : {Audience{}, Audience{some_group()}}) {
      SCOPED_TRACE(mask);
      const test::TemporaryDirectory directory;
      const std::filesystem::path made = directory.path() / "a" / "b";
      const ::mode_t before = ::umask(mask);
      const bool all = make_directories(made, audience) && File::open(made / "file", O_RDWR | O_CREAT, audience) &&
                       File::open(made / "anew", O_RDWR | O_CREAT | O_EXCL, audience) &&
                       LockFile::open(made / "lock", audience) && write_once(made / "once", "text", audience);
      ::umask(before);
      ASSERT_TRUE(all);
      const auto expect = [&](const std::filesystem::path& path, ::mode_t mode) {
        const Ownership found = ownership(path).value();
        EXPECT_EQ(found.mode, mode) << path;
        if (audience.group) {
          EXPECT_EQ(found.group, *audience.group) << path;
        }
      };
      expect(directory.path() / "a", audience.group ? 02770 : 0700);
      expect(made, audience.group ? 02770 : 0700);
      for (const char* name : {"file", "anew", "lock", "once"}) expect(made / name, audience.group ? 0660 : 0600);
      EXPECT_EQ(list(made).value().size(), 4U) << "nothing half made is left";
    }
  }
}

TEST(Audience, WhatIsThereKeepsItsModes) {
  const test::TemporaryDirectory directory;
  ASSERT_TRUE(make_directories(directory.path() / "d"));
  ASSERT_TRUE(File::open(directory.path() / "f", O_RDWR | O_CREAT));
  ASSERT_TRUE(make_directories(directory.path() / "d", {some_group()}));
  ASSERT_TRUE(File::open(directory.path() / "f", O_RDWR | O_CREAT, {some_group()}));
  EXPECT_EQ(ownership(directory.path() / "d").value().mode, 0700U);
  EXPECT_EQ(ownership(directory.path() / "f").value().mode, 0600U);
  EXPECT_FALSE(File::open(directory.path() / "f", O_RDWR | O_CREAT | O_EXCL)) << "it was to be made anew";
}

TEST(Audience, OfManyWhoMakeOneFileOrDirectoryAllGetTheSame) {
  for (int round = 0; round < 200; ++round) {
    const test::TemporaryDirectory directory;
    std::array<ino_t, 8> files{};
    std::atomic<int> failed = 0;
    std::latch start(files.size());
    std::vector<std::thread> threads;
    for (ino_t& file : files) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        if (!make_directories(directory.path() / "a" / "b")) ++failed;
        const Result<File> made = File::open(directory.path() / "a" / "b" / "f", O_RDWR | O_CREAT);
        if (!made || !write_once(directory.path() / "a" / "once", "text")) ++failed;
        struct stat status {};
        if (made && ::fstat(made->fd(), &status) == 0) file = status.st_ino;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(std::set(files.begin(), files.end()).size(), 1U);
    EXPECT_EQ(list(directory.path() / "a").value().size(), 2U);
  }
}

TEST(Groups, AreKnownByNameAndNumber) {
  EXPECT_EQ(group_named("root"), std::optional<gid_t>(0));
  EXPECT_EQ(group_name(0), "root");
  EXPECT_EQ(group_named("no such group"), std::nullopt);
  EXPECT_EQ(group_name(3'999'999'999U), "3999999999");
  EXPECT_TRUE(in_group(::getegid()));
  EXPECT_FALSE(in_group(3'999'999'999U));
}

TEST(Directories, AnEmptyOneIsUnlinkedAndAFullOneIsNot) {
  const test::TemporaryDirectory directory;
  ASSERT_TRUE(make_directories(directory.path() / "a" / "b"));
  EXPECT_FALSE(unlink(directory.path() / "a"));
  EXPECT_TRUE(unlink(directory.path() / "a" / "b"));
  EXPECT_TRUE(unlink(directory.path() / "a"));
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "a"));
}

TEST(Directories, AFileInTheWayIsAnError) {
  const test::TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "x";
  EXPECT_FALSE(make_directories(directory.path() / "file" / "sub"));
  EXPECT_FALSE(make_directories(directory.path() / "file"));
}

TEST(Directories, WriteOnceLeavesAnExistingFileAlone) {
  const test::TemporaryDirectory directory;
  ASSERT_TRUE(write_once(directory.path() / "f", "first"));
  ASSERT_TRUE(write_once(directory.path() / "f", "second"));
  std::ifstream file(directory.path() / "f");
  std::string text;
  file >> text;
  EXPECT_EQ(text, "first");
  EXPECT_EQ(list(directory.path()).value(), std::vector<std::string>{"f"}) << "no temporary file is left";
}

TEST(Hooks, RefuseACallAndAreAskedBeforeIt) {
  class RefuseWrites : public Hooks {
   public:
    int before(Call call, const std::string&) override { return call == Call::write ? ENOSPC : 0; }
    void reached(const char* point) override { point_ = point; }
    std::string point_;
  };
  const test::TemporaryDirectory directory;
  RefuseWrites hooks;
  install(&hooks);
  const File file = File::open(directory.path() / "f", O_RDWR | O_CREAT).value();
  const std::vector<std::uint8_t> content = {1};
  const Bytes piece = bytes_of(content);
  const Result<void> written = file.write_at(0, std::span(&piece, 1));
  reached("test.point");
  install(nullptr);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Errc::no_space);
  EXPECT_EQ(file.size().value(), 0U) << "the call was not made";
  EXPECT_EQ(hooks.point_, "test.point");
}

}  // namespace
}  // namespace larder::os
