// The disk keeps up with the writer of a large value.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "store/pacer.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

// What of a file is in memory and not yet on the disk, in bytes; nothing where the system cannot tell.
std::optional<std::uint64_t> unwritten(int fd) {
  constexpr long k_cachestat = 451;  // Linux 6.5
  struct {
    std::uint64_t offset, length;
  } all{0, 0};
  struct {
    std::uint64_t cache, dirty, writeback, evicted, recently_evicted;
  } pages{};
  if (::syscall(k_cachestat, fd, &all, &pages, 0) != 0) return std::nullopt;
  return (pages.dirty + pages.writeback) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST(Pacer, LeavesNoMoreUnwrittenThanItMayAndAStep) {
  const Directory directory;
  const std::string path = (directory.path() / "file").string();
  const Result<os::File> file = os::File::open(path, O_RDWR | O_CREAT);
  ASSERT_TRUE(file);
  const std::string mib = noise(k_mib, 1);
  const Bytes bytes = std::as_bytes(std::span(mib));
  constexpr std::uint64_t k_begin = 4096;
  Pacer pacer(k_begin, 8 * k_mib);
  std::uint64_t most = 0;
  for (std::uint64_t i = 0; i < 96; ++i) {
    const std::uint64_t end = k_begin + (i + 1) * k_mib;
    ASSERT_TRUE(file->write_at(end - k_mib, std::span(&bytes, 1)));
    if (!unwritten(file->fd()) || (i == 0 && unwritten(file->fd()) == 0))
      GTEST_SKIP() << "nothing tells here what is on the disk";
    pacer.wrote(*file, end);
    most = std::max(most, *unwritten(file->fd()));
  }
  EXPECT_LE(most, 8 * k_mib + Pacer::k_step);
}

}  // namespace
}  // namespace larder::store
