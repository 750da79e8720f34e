// What the world may refuse: room, permission, single calls. The computation's result is returned all the
// same, and the reason is counted.
#include <gtest/gtest.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <functional>

#include <larder/larder.hpp>

#include "os/os.hpp"
#include "support/mount_namespace.hpp"
#include "support/temporary_directory.hpp"

namespace larder {
namespace {

namespace fs = std::filesystem;

// Computes a few values through a cache on `directory` and says whether all came back right.
bool computes(Cache& cache, int from, int to, std::size_t bytes) {
  bool right = true;
  for (int i = from; i < to; ++i) {
    const std::string value(bytes, static_cast<char>('a' + i % 26));
    right = right && *cache.get_or_compute(Key{"k", i}, [&] { return value; }) == value;
    right = right && *cache.get_or_compute(Key{"k", i}, [&] { return value; }) == value;
  }
  return right;
}

// Refuses every n-th call of a kind, or all.
class Refuse : public os::Hooks {
 public:
  Refuse(os::Call call, int code, int every = 1) : call_(call), code_(code), every_(every) {}
  int before(os::Call call, const std::string&) override {
    return call == call_ && ++calls_ % every_ == 0 ? (++refused_, code_) : 0;
  }
  void reached(const char*) override {}
  [[nodiscard]] int refused() const { return refused_; }

 private:
  const os::Call call_;
  const int code_;
  const int every_;
  std::atomic<int> calls_{0};
  std::atomic<int> refused_{0};
};

class Installed {
 public:
  explicit Installed(os::Hooks& hooks) { os::install(&hooks); }
  ~Installed() { os::install(nullptr); }
};

std::uint64_t faults(const Stats& stats) {
  return stats[Counter::fault_no_space] + stats[Counter::fault_io] + stats[Counter::fault_permission] +
         stats[Counter::fault_damaged_file] + stats[Counter::fault_damaged_record] + stats[Counter::fault_other];
}

Options options_for(const fs::path& directory) {
  return {.directory = directory, .store = Size("16MiB"), .memory = "64KiB", .write = WriteMode::through};
}

struct Refusal {
  os::Call call;
  int code;
  const char* name;
};

class RefusedCall : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusedCall, LosesNoResultWhenTheStoreIsOpen) {
  for (const int every : {1, 2, 7}) {
    SCOPED_TRACE(every);
    test::TemporaryDirectory directory;
    Cache cache = Cache::open(options_for(directory.path())).value();
    ASSERT_TRUE(computes(cache, 0, 10, 30'000));
    Refuse hooks(GetParam().call, GetParam().code, every);
    {
      const Installed installed(hooks);
      EXPECT_TRUE(computes(cache, 5, 60, 30'000));
      EXPECT_TRUE(computes(cache, 60, 63, 2'000'000)) << "values with a file of their own";
      cache.remove(Key{"k", 5});
      cache.clear();
    }
    EXPECT_TRUE(hooks.refused() == 0 || faults(cache.stats()) > 0) << "a refused call is counted";
    EXPECT_TRUE(computes(cache, 100, 110, 30'000)) << "it works on when the world is well again";
  }
}

TEST_P(RefusedCall, LosesNoResultWhenTheStoreIsBeingOpened) {
  for (const int every : {1, 2, 3, 5}) {
    SCOPED_TRACE(every);
    test::TemporaryDirectory directory;
    Refuse hooks(GetParam().call, GetParam().code, every);
    const Installed installed(hooks);
    Result<Cache> cache = Cache::open(options_for(directory.path()));
    ASSERT_TRUE(cache) << cache.error().what();
    EXPECT_TRUE(computes(*cache, 0, 20, 30'000));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedCall,
    ::testing::Values(Refusal{os::Call::write, ENOSPC, "WriteNoSpace"}, Refusal{os::Call::write, EDQUOT, "WriteQuota"},
                      Refusal{os::Call::write, EIO, "WriteError"}, Refusal{os::Call::read, EIO, "ReadError"},
                      Refusal{os::Call::open, EMFILE, "TooManyFiles"}, Refusal{os::Call::open, EACCES, "OpenDenied"},
                      Refusal{os::Call::map, ENOMEM, "MapNoMemory"}, Refusal{os::Call::populate, EIO, "PopulateError"},
                      Refusal{os::Call::allocate, ENOSPC, "AllocateNoSpace"},
                      Refusal{os::Call::unlink, EROFS, "UnlinkReadOnly"}, Refusal{os::Call::lock, ENOLCK, "NoLocks"},
                      Refusal{os::Call::list, EIO, "ListError"},
                      Refusal{os::Call::make_directory, EROFS, "MakeDirectoryReadOnly"}),
    [](const auto& refusal) { return refusal.param.name; });

TEST(RealFileSystem, AFullOneIsCountedAndEveryResultReturned) {
  test::TemporaryDirectory directory;
  test::expect_zero_or_no_namespaces(test::in_namespace([&] {
    if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=6m") != 0) return 77;
    Cache cache = Cache::open(options_for(directory.path() / "store")).value();
    const bool right = computes(cache, 0, 400, 50'000);
    const Stats stats = cache.stats();
    if (!right) return 2;
    return stats[Counter::fault_no_space] > 0 ? 0 : 3;
  }));
}

TEST(RealFileSystem, AProcessThatMayNotMakeLargeFilesGetsEveryResult) {
  for (const rlim_t limit : {rlim_t{0}, rlim_t{512} << 10}) {
    SCOPED_TRACE(limit);
    const test::TemporaryDirectory directory;
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit limits{limit, limit};
      if (::setrlimit(RLIMIT_FSIZE, &limits) != 0) ::_exit(9);
      Cache cache = Cache::open(options_for(directory.path() / "store")).value();
      const bool right = computes(cache, 0, 60, 50'000);
      ::_exit(right && cache.stats()[Counter::fault_no_space] > 0 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "a signal ended it";
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

TEST(RealFileSystem, OneThatFilledUpStillServesWhatItHolds) {
  test::TemporaryDirectory directory;
  test::expect_zero_or_no_namespaces(test::in_namespace([&] {
    if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=64m") != 0) return 77;
    const Key key{"k"};
    {
      Cache cache = Cache::open(options_for(directory.path() / "store")).value();
      cache.put(key, std::string("value"));
    }
    std::ofstream fill(directory.path() / "fill");
    while (fill << std::string(1 << 20, 'f') << std::flush) {
    }
    Cache cache = Cache::open(options_for(directory.path() / "store")).value();
    if (!cache.stats().degraded.empty()) return 2;
    return cache.get<std::string>(key) ? 0 : 3;
  }));
}

TEST(RealFileSystem, OneTooFullForAnythingLeavesTheMemoryTier) {
  test::TemporaryDirectory directory;
  test::expect_zero_or_no_namespaces(test::in_namespace([&] {
    if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=64k") != 0) return 77;
    Cache cache = Cache::open(options_for(directory.path() / "store")).value();
    if (!computes(cache, 0, 20, 1'000)) return 2;
    return cache.stats().degraded.empty() ? 3 : 0;
  }));
}

TEST(RealFileSystem, AReadOnlyOneLeavesTheMemoryTier) {
  test::TemporaryDirectory directory;
  test::expect_zero_or_no_namespaces(test::in_namespace([&] {
    if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=64m") != 0) return 77;
    {
      Cache cache = Cache::open(options_for(directory.path() / "store")).value();
      if (!computes(cache, 0, 5, 1'000)) return 2;
    }
    if (::mount(nullptr, directory.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return 77;
    Cache cache = Cache::open(options_for(directory.path() / "store")).value();
    if (!computes(cache, 0, 10, 1'000)) return 3;
    const Stats stats = cache.stats();
    return !stats.degraded.empty() && stats[Counter::fault_permission] > 0 ? 0 : 4;
  }));
}

// A file of an image's layer is another file once it has been opened for writing: who mapped it before would never see
// what is appended.
TEST(RealFileSystem, AStoreOutOfAnImagesLayerShowsWhatIsAppendedToIt) {
  test::TemporaryDirectory directory;
  test::expect_zero_or_no_namespaces(test::in_namespace([&] {
    if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=64m") != 0) return 77;
    const auto part = [&](const char* name) { return (directory.path() / name).string(); };
    for (const char* name : {"image", "changes", "work", "container"}) fs::create_directory(part(name));
    Options options = options_for(fs::path(part("image")) / "store");
    options.memory = 0;
    Cache::open(options).value().put(Key{"k", 1}, std::string("from the image"));
    const std::string layers =
        "lowerdir=" + part("image") + ",upperdir=" + part("changes") + ",workdir=" + part("work");
    if (::mount("overlay", part("container").c_str(), "overlay", 0, layers.c_str()) != 0) return 77;
    options.directory = fs::path(part("container")) / "store";
    Cache reader = Cache::open(options).value();
    Cache writer = Cache::open(options).value();
    if (!reader.get<std::string>(Key{"k", 1})) return 2;
    for (const int size : {10, 100'000}) {
      writer.put(Key{"appended", size}, std::string(static_cast<std::size_t>(size), 'x'));
      if (!reader.get<std::string>(Key{"appended", size})) return 3;
    }
    return faults(reader.stats()) == 0 ? 0 : 4;
  }));
}

TEST(RealFileSystem, ADirectoryOfSomebodyElseIsRefusedAndTheMemoryTierServes) {
  if (::geteuid() != 0) {
    std::printf("  not run here: only root can make a directory of somebody else\n");
    return;
  }
  test::TemporaryDirectory directory;
  const fs::path theirs = directory.path() / "theirs";
  fs::create_directory(theirs);
  ASSERT_EQ(::chown(theirs.c_str(), 12345, 12345), 0);
  Cache cache = Cache::open(options_for(theirs)).value();
  EXPECT_TRUE(computes(cache, 0, 5, 1'000));
  EXPECT_NE(cache.stats().degraded.find(theirs.string()), std::string::npos) << cache.stats().degraded;
  EXPECT_EQ(cache.stats()[Counter::fault_permission], 1U);
}

TEST(RealFileSystem, WithoutPermissionTheMemoryTierServes) {
  test::TemporaryDirectory directory;
  fs::permissions(directory.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Root is not bound by modes; nobody is.
    if (::geteuid() == 0 && (::setegid(65534) != 0 || ::seteuid(65534) != 0)) ::_exit(9);
    try {
      Cache cache = Cache::open(options_for(directory.path() / "store")).value();
      const bool right = computes(cache, 0, 5, 1'000);
      const Stats stats = cache.stats();
      ::_exit(right && !stats.degraded.empty() && stats[Counter::fault_permission] == 1 ? 0 : 1);
    } catch (...) {
      ::_exit(2);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace larder
