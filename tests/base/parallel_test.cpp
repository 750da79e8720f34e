// Work on several threads: all of it is done once, and what goes wrong is told.
#include "base/parallel.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace larder::base {
namespace {

TEST(ParallelFor, DoesEachPartOnceHoweverManyThreadsThereAre) {
  for (const std::size_t threads : {0, 1, 2, 7, 100}) {
    for (const std::size_t count : {0, 1, 2, 50}) {
      std::vector<std::atomic<int>> done(count);
      parallel_for(count, threads, [&](std::size_t i) { ++done[i]; });
      EXPECT_TRUE(std::ranges::all_of(done, [](const std::atomic<int>& times) { return times == 1; }))
          << count << " on " << threads;
    }
  }
}

TEST(ParallelFor, RethrowsWhatAnyPartThrowsWhenAllThreadsHaveEnded) {
  std::atomic<int> running{0};
  const auto work = [&](std::size_t i) {
    ++running;
    const bool thrown = i == 20;
    --running;
    if (thrown) throw std::runtime_error("the twentieth");
  };
  EXPECT_THROW(parallel_for(50, 4, work), std::runtime_error);
  EXPECT_EQ(running, 0);
}

}  // namespace
}  // namespace larder::base
