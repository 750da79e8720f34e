#ifndef LARDER_CHECK_LOCKS
#define LARDER_CHECK_LOCKS  // whatever the library was built with: this test has nothing of it but the header
#endif
#include "base/mutex.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace larder::base {
namespace {

TEST(Mutex, WithoutALockUserCodeMayRun) {
  Mutex mutex;
  { const std::lock_guard lock(mutex); }
  expect_no_lock("a codec");
}

TEST(MutexDeathTest, UnderALockUserCodeEndsTheProgramAndIsNamed) {
  Mutex mutex;
  const std::lock_guard lock(mutex);
  EXPECT_DEATH(expect_no_lock("a codec"), "a codec is about to run under 1 of larder's locks");
  Mutex another;
  ASSERT_TRUE(another.try_lock());
  EXPECT_DEATH(expect_no_lock("a codec"), "under 2");
  another.unlock();
}

TEST(Mutex, AThreadThatWaitsForAConditionHoldsNothing) {
  Mutex mutex;
  ConditionVariable condition;
  bool ready = false;
  std::jthread waiting([&] {
    std::unique_lock lock(mutex);
    condition.wait(lock, [&] {
      EXPECT_EQ(locks_held, 1);
      return ready;
    });
    lock.unlock();
    EXPECT_EQ(locks_held, 0);
  });
  {
    const std::lock_guard lock(mutex);
    ready = true;
  }
  condition.notify_all();
  waiting.join();
  EXPECT_EQ(locks_held, 0) << "what another thread holds does not count";
}

}  // namespace
}  // namespace larder::base
