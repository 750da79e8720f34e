#include "memory/readers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "base/thread_number.hpp"

namespace larder::memory {
namespace {

TEST(Readers, WhoWaitsReturnsWhenTheSectionsThatThereWereHaveEnded) {
  Readers readers;
  base::Mutex writers;
  std::atomic<bool> reading{false};
  std::atomic<bool> end{false};
  std::atomic<bool> waited{false};
  std::jthread reader([&] {
    const Readers::Section section(readers, writers);
    reading = true;
    reading.notify_all();
    end.wait(false);
    EXPECT_FALSE(waited);
  });
  reading.wait(false);
  std::jthread writer([&] {
    readers.wait();
    waited = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(waited);
  end = true;
  end.notify_all();
  writer.join();
  EXPECT_TRUE(waited);
}

TEST(Readers, WhoComesLaterIsNotWaitedFor) {
  Readers readers;
  base::Mutex writers;
  std::atomic<bool> done{false};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!done) const Readers::Section section(readers, writers);
    });
  }
  for (int i = 0; i < 1000; ++i) readers.wait();
  done = true;
}

// A value that is replaced again and again, each destroyed after the wait; the sanitizers see who still reads one.
TEST(Readers, NothingIsDestroyedUnderAReader) {
  Readers readers;
  base::Mutex writers;
  std::atomic<const int*> shown{new int(0)};
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        const Readers::Section section(readers, writers);
        if (*shown.load() < 0) ++wrong;
      }
    });
  }
  for (int i = 1; i < 5000; ++i) {
    int* old = nullptr;
    {
      const std::lock_guard lock(writers);
      old = const_cast<int*>(shown.exchange(new int(i)));
    }
    readers.wait();
    *old = -1;
    delete old;
  }
  done = true;
  threads.clear();
  EXPECT_EQ(wrong, 0);
  delete shown.load();
}

TEST(Readers, ThreadsBeyondTheNumberedOnesExcludeWriters) {
  std::atomic<bool> end{false};
  std::vector<std::jthread> numbered;
  std::atomic<unsigned> ready{0};
  for (unsigned i = 0; i < base::k_thread_numbers; ++i) {
    numbered.emplace_back([&] {
      static_cast<void>(base::thread_number());
      ++ready;
      end.wait(false);
    });
  }
  while (ready < base::k_thread_numbers) std::this_thread::yield();
  std::jthread([&] {
    EXPECT_EQ(base::thread_number(), base::k_thread_numbers);
    Readers readers;
    base::Mutex writers;
    {
      const Readers::Section section(readers, writers);
      std::jthread([&] { EXPECT_FALSE(writers.try_lock()); });
    }
    EXPECT_TRUE(writers.try_lock());
    writers.unlock();
  }).join();
  end = true;
  end.notify_all();
}

}  // namespace
}  // namespace larder::memory
