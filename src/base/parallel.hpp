// The same work on several threads at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/mutex.hpp"

namespace larder::base {

// Calls work(i) for every i below `count`, on up to `threads` threads, of which the caller's is one; fewer if the
// system gives no more. Returns when all calls have. Rethrows the first exception: some calls were not made then.
template <class Work>
void parallel_for(std::size_t count, std::size_t threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  Mutex mutex;
  std::exception_ptr failure;  // guarded by mutex
  const auto run = [&] {
    try {
      for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) work(i);
    } catch (...) {
      next.store(count);
      const std::lock_guard lock(mutex);
      if (failure == nullptr) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    try {
      for (std::size_t i = 1; i < std::min(threads, count); ++i) helpers.emplace_back(run);
    } catch (const std::system_error&) {
      // Those that are there do it.
    }
    run();
  }
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace larder::base
