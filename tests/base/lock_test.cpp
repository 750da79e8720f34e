#include "base/lock.hpp"

#include <gtest/gtest.h>

#include <array>
#include <mutex>
#include <thread>
#include <vector>

#include "support/asleep.hpp"

namespace larder::base {
namespace {

TEST(Lock, OneThreadAtATimeIsInside) {
  constexpr int k_threads = 4;
  constexpr int k_turns = 50'000;
  Lock lock;
  int turns = 0;  // guarded by lock
  {
    std::vector<std::jthread> threads;
    threads.reserve(k_threads);
    for (int i = 0; i < k_threads; ++i) {
      threads.emplace_back([&] {
        for (int turn = 0; turn < k_turns; ++turn) {
          const std::lock_guard inside(lock);
          ++turns;
        }
      });
    }
  }
  EXPECT_EQ(turns, k_threads * k_turns);
}

TEST(Lock, ThoseWhoWaitSleepAndAllComeIn) {
  Lock lock;
  int came = 0;  // guarded by lock
  std::array<std::thread, 3> threads;
  {
    const std::lock_guard inside(lock);
    for (std::thread& thread : threads) {
      thread = test::start_and_let_sleep([&] {
        const std::lock_guard also(lock);
        ++came;
      });
    }
    EXPECT_EQ(came, 0);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(came, 3);
}

}  // namespace
}  // namespace larder::base
