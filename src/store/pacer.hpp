// A Pacer has the writer of a large value wait for the disk. Where a sixth of the memory is dirty, the system stalls
// every writer of the machine; so of one value only so much may be unwritten, and what is longer goes at the disk's
// pace.
#pragma once

#include <cstdint>

#include "os/os.hpp"

namespace larder::store {

// Not thread-safe. One for each file.
class Pacer {
 public:
  // `offset`: where the value begins. Of what is written from there on, `unwritten_max` bytes and a step may be on
  // their way to the disk.
  Pacer(std::uint64_t offset, std::uint64_t unwritten_max) noexcept : unwritten_max_(unwritten_max), on_disk_(offset) {}

  static constexpr std::uint64_t k_step = std::uint64_t{16} << 20;

  // The file was written, without gaps, up to `end`.
  void wrote(const os::File& file, std::uint64_t end) noexcept {
    if (end - on_disk_ < unwritten_max_ + k_step) return;
    const std::uint64_t due = end - unwritten_max_;
    file.start_writeback(due, k_step);  // so that the disk has something to do after this
    file.wait_for_writeback(on_disk_, due - on_disk_);
    on_disk_ = due;
  }

 private:
  const std::uint64_t unwritten_max_;
  std::uint64_t on_disk_;  // up to here it is
};

}  // namespace larder::store
