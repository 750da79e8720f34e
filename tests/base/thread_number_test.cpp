#include "base/thread_number.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace larder::base {
namespace {

TEST(ThreadNumber, IsTheThreadsOwnWhileItLives) {
  constexpr std::size_t k_threads = 100;
  std::vector<unsigned> numbers(k_threads);
  std::atomic<std::size_t> ready{0};
  std::atomic<bool> end{false};
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < k_threads; ++i) {
    threads.emplace_back([&, i] {
      numbers[i] = thread_number();
      ++ready;
      end.wait(false);
      EXPECT_EQ(thread_number(), numbers[i]);
    });
  }
  while (ready < k_threads) std::this_thread::yield();
  end = true;
  end.notify_all();
  threads.clear();
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(std::adjacent_find(numbers.begin(), numbers.end()), numbers.end());
  EXPECT_LT(numbers.back(), k_threads + 1) << "dense";
}

TEST(ThreadNumber, IsGivenAgain) {
  unsigned before = k_thread_numbers;
  std::jthread([&] { before = thread_number(); }).join();
  for (int i = 0; i < 2000; ++i) {
    std::jthread([&] { EXPECT_EQ(thread_number(), before); }).join();
  }
}

// Destroyed after the thread's number was given back: it was made before the thread asked for one.
struct Late {
  unsigned* at_the_end = nullptr;
  ~Late() { *at_the_end = thread_number(); }
};

TEST(ThreadNumber, WhoAsksAfterItWasGivenBackHasNone) {
  unsigned at_the_end = 0;
  std::jthread([&] {
    thread_local Late late;
    late.at_the_end = &at_the_end;
    EXPECT_LT(thread_number(), k_thread_numbers);
  }).join();
  EXPECT_EQ(at_the_end, k_thread_numbers);
}

}  // namespace
}  // namespace larder::base
