// A Pacer sends a large value on its way to the disk while it is written. Dirty pages beyond what the system likes to
// hold stall every writer of the machine; so they are handed over in steps, and who is far ahead of the disk waits.
#pragma once

#include <cstdint>

#include "os/os.hpp"

namespace larder::store {

// Not thread-safe. One for each file.
class Pacer {
 public:
  // `offset`: where the value begins.
  explicit Pacer(std::uint64_t offset) noexcept : first_(offset), started_(offset), waited_(offset) {}

  // The file was written, without gaps, up to `end`.
  void wrote(const os::File& file, std::uint64_t end) noexcept {
    if (end - first_ < k_bytes_min || end - started_ < k_step) return;
    file.start_writeback(started_, end - started_);
    started_ = end;
    static const std::uint64_t unwritten_max = os::memory_bytes() / k_unwritten_part;
    if (end - waited_ <= unwritten_max + k_step) return;
    const std::uint64_t written = end - unwritten_max;
    file.wait_for_writeback(waited_, written - waited_);
    waited_ = written;
  }

 private:
  static constexpr std::uint64_t k_bytes_min = std::uint64_t{32} << 20;
  static constexpr std::uint64_t k_step = std::uint64_t{16} << 20;
  // The system slows all writers down when about a sixth of the memory is dirty.
  static constexpr std::uint64_t k_unwritten_part = 16;

  const std::uint64_t first_;
  std::uint64_t started_;  // up to here the system was asked to write
  std::uint64_t waited_;   // up to here it has written
};

}  // namespace larder::store
