// What the copies of a Cache share: the core, opened anew in a forked child.
#pragma once

#include <atomic>
#include <memory>

#include <larder/options.hpp>

#include "cache/core.hpp"
#include "os/os.hpp"

namespace larder::detail {

// Thread-safe.
class Engine {
 public:
  Engine(Options options, Result<os::Audience> audience, std::unique_ptr<Core> core)
      : options_(std::move(options)), audience_(std::move(audience)), core_(core.release()) {}
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // The core of this process.
  Core& core() {
    Core* core = core_.load(std::memory_order_acquire);
    return core->generation == os::fork_generation() ? *core : reopen(core);
  }

 private:
  Core& reopen(Core* inherited);

  const Options options_;
  const Result<os::Audience> audience_;
  std::atomic<Core*> core_;
};

}  // namespace larder::detail
