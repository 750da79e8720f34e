// Several threads that do parts of one work at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "harness/timing.hpp"

namespace bench {

// Wall time in ns from the moment when all threads are there until the last one has done its part. Splits `count`
// operations among them: each calls work(begin, end) once. If one throws, one such exception goes to the caller.
template <class Work>
[[nodiscard]] std::int64_t time_threads(unsigned threads, std::size_t count, const Work& work) {
  std::latch others_there(threads - 1);
  std::latch begin(1);
  std::mutex mutex;
  std::exception_ptr failure;  // guarded by mutex
  const auto do_part = [&](unsigned part) {
    try {
      work(count * part / threads, count * (part + 1) / threads);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  };
  std::int64_t start = 0;
  {
    std::vector<std::jthread> others;
    for (unsigned part = 1; part < threads; ++part) {
      others.emplace_back([&, part] {
        others_there.count_down();
        begin.wait();
        do_part(part);
      });
    }
    others_there.wait();
    start = now_ns();
    begin.count_down();
    do_part(0);
  }
  const std::int64_t took = now_ns() - start;
  if (failure) std::rethrow_exception(failure);
  return took;
}

}  // namespace bench
