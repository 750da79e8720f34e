// Who is reading: so that what was taken out of sight is destroyed only when nobody looks at it any more, and readers
// take no lock for that.
//
// Each thread has a line of its own, with a count that is odd while it reads. Who took something out of sight waits for
// those that were reading then to have moved on: who comes later does not see it. (Quiescence as in Fraser, "Practical
// lock-freedom", 2004, without epochs: a section is a few dozen instructions, so that waiting for its end costs less
// than keeping what left.)
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/mutex.hpp"
#include "base/thread_number.hpp"

namespace larder::memory {

// Thread-safe.
class Readers {
  struct alignas(64) Line {
    std::atomic<std::uint32_t> turns{0};
  };

 public:
  // While it lives, nothing is destroyed that was in sight when it began. A thread has one at a time, and no user code
  // runs in it. Threads without a line (there are 1024) take `writers`, the lock under which things are taken out of
  // sight, instead.
  class [[nodiscard]] Section {
   public:
    Section(Readers& readers, base::Mutex& writers) : line_(readers.line()) {
      if (line_ == nullptr) {
        excluding_ = std::unique_lock(writers);
      } else {
        // Sequentially consistent, as taking out of sight is: who does that meets this, or this does not see it.
        line_->turns.store(line_->turns.load(std::memory_order_relaxed) + 1);
      }
    }
    ~Section() {
      if (line_ == nullptr) return;
      line_->turns.store(line_->turns.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    Line* const line_;
    std::unique_lock<base::Mutex> excluding_;
  };

  Readers() = default;
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // Returns when the sections that there are have ended. REQUIRES: the caller is in none, and does not hold `writers`.
  void wait() const noexcept;

 private:
  static constexpr unsigned k_chunk = 64;  // lines that are made together
  static constexpr unsigned k_chunks = 16;
  using Chunk = std::array<Line, k_chunk>;

  // The calling thread's; null if it has none.
  [[nodiscard]] Line* line() noexcept {
    const unsigned number = base::thread_number();
    if (number < used_.load(std::memory_order_relaxed)) return &(*chunks_[number / k_chunk].load())[number % k_chunk];
    return first_line(number);
  }
  [[nodiscard]] Line* first_line(unsigned number) noexcept;

  std::array<std::atomic<Chunk*>, k_chunks> chunks_{};
  std::atomic<unsigned> used_{0};  // lines below this have their chunk
};

}  // namespace larder::memory
