// What callers of several threads and processes did with a key, and what they saw.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace larder::test {

// One operation on one key. To invalidate a tag is one on every key that has the tag. Plain data: processes hand it to
// each other in shared memory.
struct Operation {
  enum class Kind : std::uint32_t { put, get, remove, invalidate };

  std::uint32_t process = 0;
  std::uint32_t thread = 0;
  std::uint32_t key = 0;
  Kind kind = Kind::get;
  std::uint64_t argument = 0;  // of a put: the value, never 0, and no other put's
  std::uint64_t result = 0;    // of a get: the value, or 0 for nothing; of a put: its PutOutcome::Store
  std::int64_t invoked = 0;    // by now()
  std::int64_t returned = 0;
};

using History = std::vector<Operation>;

// The time for all processes of the machine. What the caller did before is seen by everybody at that time, and what it
// does after did not begin earlier: the processor must not move either across the reading of the clock. (The thread
// sanitizer refuses std::atomic_thread_fence; here nothing is handed over that it would have to follow.)
inline std::int64_t now() noexcept {
  __sync_synchronize();
  const std::int64_t time = base::monotonic_ns();
  __sync_synchronize();
  return time;
}

// One line an operation, in the order in which they began.
[[nodiscard]] std::string text_of(std::span<const Operation> operations);

}  // namespace larder::test
