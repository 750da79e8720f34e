// How the store tells of what went wrong: a counter for each fault, one Event for each reason and file.
//
// Faults are noted wherever they show, also under locks; they are told by tell(), which the store calls
// at the end of each of its operations, outside every lock. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <larder/options.hpp>
#include <larder/result.hpp>

#include "base/mutex.hpp"
#include "observe/counters.hpp"

namespace larder::store {

class Trouble {
 public:
  Trouble(observe::Counters& counters, std::function<void(const Event&)> on_event)
      : counters_(counters), on_event_(std::move(on_event)) {}

  void note(Counter reason, const std::string& file, const std::string& text);
  // Under the counter that fits the error.
  void note(const Error& error, const std::string& file);
  void count(Counter counter, std::uint64_t amount = 1) noexcept { counters_.add(counter, amount); }

  // Whether anybody listens.
  [[nodiscard]] bool heard() const noexcept { return on_event_ != nullptr; }
  // Calls the listener, also if he was told before: for what is counted elsewhere. REQUIRES: the caller holds no lock,
  // and heard().
  void tell(const Event& event) { on_event_(event); }
  // Calls the listener for what was noted since. REQUIRES: the caller holds no lock.
  void tell() {
    if (untold_.load(std::memory_order_relaxed)) tell_now();
  }

 private:
  void tell_now();

  observe::Counters& counters_;
  const std::function<void(const Event&)> on_event_;
  std::atomic<bool> untold_{false};
  base::Mutex mutex_;
  std::set<std::pair<Counter, std::string>> known_;  // guarded by mutex_
  std::vector<Event> pending_;                       // guarded by mutex_
};

// Tells at the end of a scope. The first local of every operation, so that locks are gone by then.
class TellAtEnd {
 public:
  explicit TellAtEnd(Trouble& trouble) noexcept : trouble_(trouble) {}
  ~TellAtEnd() { trouble_.tell(); }
  TellAtEnd(const TellAtEnd&) = delete;
  TellAtEnd& operator=(const TellAtEnd&) = delete;

 private:
  Trouble& trouble_;
};

}  // namespace larder::store
