#include "cache/engine.hpp"

#include <thread>

namespace larder::detail {

Engine::~Engine() {
  // A core that was inherited through fork() is left alone: its thread and its locks are the parent's.
  Core* core = core_.load(std::memory_order_acquire);
  if (core->generation != os::fork_generation()) return;
  if (core->on_own_thread()) {
    // A value or a computation that is destroyed there, or on_event, held the last handle: that thread cannot wait for
    // its own end.
    std::thread([core] { delete core; }).detach();
  } else {
    delete core;
  }
}

Core& Engine::reopen(Core* inherited) {
  Result<std::unique_ptr<Core>> opened = Core::open(options_, audience_);
  // The options were good in the parent; what the world refuses now leaves memory alone.
  Options memory_only = options_;
  memory_only.store = Size(0);
  std::unique_ptr<Core> core = opened ? *std::move(opened) : std::move(Core::open(memory_only, audience_).value());
  Core* fresh = core.get();
  // The inherited core is not destroyed: see ~Engine.
  if (core_.compare_exchange_strong(inherited, fresh, std::memory_order_acq_rel)) {
    static_cast<void>(core.release());
    return *fresh;
  }
  return *inherited;  // another thread was faster
}

}  // namespace larder::detail
