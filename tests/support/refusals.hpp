// A twin of the system that refuses calls as a plan says, and writes down which. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "os/os.hpp"

namespace larder::test {

// Of the calls of one kind those with the numbers from…until-1, counted from 0.
struct Refusal {
  os::Call call;
  int code;
  std::uint64_t from;
  std::uint64_t until;
};

// Installed while it lives.
class Refusals : public os::Hooks {
 public:
  explicit Refusals(std::vector<Refusal> plan) : plan_(std::move(plan)) { os::install(this); }
  ~Refusals() override { os::install(nullptr); }
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;

  int before(os::Call call, const std::string& path) override {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = counts_[static_cast<std::size_t>(call)]++;
    for (const Refusal& refusal : plan_) {
      if (refusal.call != call || number < refusal.from || number >= refusal.until) continue;
      refused_.emplace_back(call, path);
      return refusal.code;
    }
    return 0;
  }
  void reached(const char*) override {}

  // The calls that were refused so far.
  [[nodiscard]] std::vector<std::pair<os::Call, std::string>> refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  const std::vector<Refusal> plan_;
  mutable std::mutex mutex_;
  std::array<std::uint64_t, 256> counts_{};
  std::vector<std::pair<os::Call, std::string>> refused_;
};

}  // namespace larder::test
