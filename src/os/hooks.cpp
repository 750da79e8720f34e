#include <atomic>

#include "base/mutex.hpp"
#include "os/os.hpp"
#include "os/refuse.hpp"

namespace larder::os {

namespace {
std::atomic<Hooks*> installed_hooks{nullptr};
}  // namespace

void install(Hooks* hooks) noexcept {
  installed_hooks.store(hooks, std::memory_order_release);
}

void reached(const char* point) noexcept {
  Hooks* hooks = installed_hooks.load(std::memory_order_acquire);
  if (hooks == nullptr) return;
  const base::Apart apart;
  hooks->reached(point);
}

int refused(Call call, const std::string& path) {
  Hooks* hooks = installed_hooks.load(std::memory_order_acquire);
  return hooks == nullptr ? 0 : hooks->before(call, path);
}

}  // namespace larder::os
