#include "cache/refresher.hpp"

#include <optional>
#include <system_error>

namespace larder::detail {

namespace {

constexpr std::size_t k_waiting_max = 256;

}  // namespace

void Refresher::end() noexcept {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  queue_.clear();
}

bool Refresher::lacks(const Key& key) const {
  const std::lock_guard lock(mutex_);
  return !keys_.contains(key);
}

bool Refresher::push(const Key& key, Later computation) {
  const std::lock_guard lock(mutex_);
  if (keys_.contains(key)) return true;
  if (queue_.size() == k_waiting_max) return false;
  if (!thread_.joinable()) {
    try {
      thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    } catch (const std::system_error&) {
      return false;  // there is no thread to be had
    }
  }
  queue_.push_back({key, std::move(computation)});
  keys_.insert(key);
  pushed_.notify_one();
  return true;
}

void Refresher::run(const std::stop_token& stop) {
  runner_ = std::this_thread::get_id();
  std::unique_lock lock(mutex_);
  while (pushed_.wait(lock, stop, [this] { return !queue_.empty(); }) && !stop.stop_requested()) {
    std::optional<Item> item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    refresh_(item->key, item->computation);
    const Key key = item->key;
    base::expect_no_lock("the destructor of a computation");
    item.reset();  // may be the last owner of what the computation owned
    lock.lock();
    keys_.erase(key);
  }
}

}  // namespace larder::detail
