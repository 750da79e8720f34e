// fork(): the child counts one generation more and holds none of the parent's exclusive locks.
//
// The list of descriptors is a fixed array of atomics because the handler runs between fork() and the
// child's first instruction, where another thread's lock may be held for ever.
#include <pthread.h>
#include <unistd.h>
#include <array>
#include <atomic>

#include "os/os.hpp"

namespace larder::os {

std::atomic<std::uint64_t> forks{0};

namespace {

constexpr int k_no_fd = -1;
constexpr std::size_t k_fds_max = 4096;

// Slots hold fd + 1, so that static zero-initialization means "free".
std::array<std::atomic<int>, k_fds_max> fds_to_close{};

void in_child() {
  forks.fetch_add(1, std::memory_order_release);
  for (std::atomic<int>& slot : fds_to_close) {
    const int fd = slot.exchange(0, std::memory_order_relaxed) - 1;
    if (fd != k_no_fd) ::close(fd);
  }
}

const int handler_installed = ::pthread_atfork(nullptr, nullptr, &in_child);

}  // namespace

bool close_on_fork(int fd) noexcept {
  for (std::atomic<int>& slot : fds_to_close) {
    int expected = 0;
    if (slot.load(std::memory_order_relaxed) == 0 && slot.compare_exchange_strong(expected, fd + 1)) {
      return handler_installed == 0;
    }
  }
  return false;
}

void keep_on_fork(int fd) noexcept {
  for (std::atomic<int>& slot : fds_to_close) {
    int expected = fd + 1;
    if (slot.compare_exchange_strong(expected, 0)) return;
  }
}

}  // namespace larder::os
