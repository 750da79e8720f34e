#include "cache/write_back.hpp"

#include <chrono>

#include "cache/packing.hpp"

namespace larder::detail {

store::Put write_to_store(store::Store& store, observe::Counters& counters, const Pending& pending) {
  std::optional<Packed> packed;
  try {
    packed.emplace(pending.value, *pending.type, pending.compression);
  } catch (...) {
    // A codec is the user's: whatever it throws, the value itself has been returned already.
    counters.add(Counter::fault_codec);
    return store::Put::fault;
  }
  store::Meta meta = pending.meta;
  meta.raw_bytes = packed->raw_bytes();
  const store::Put put = store.put(pending.key, meta, packed->pieces(), pending.stamp);
  if (put == store::Put::stored) {
    counters.add(Counter::compressed, meta.raw_bytes != 0 ? 1 : 0);
    counters.add(Counter::compressed_saved_bytes, packed->saved_bytes());
  }
  return count_refusal(counters, put);
}

store::Put count_refusal(observe::Counters& counters, store::Put put) {
  switch (put) {
    case store::Put::stored:
    case store::Put::fault:
      break;  // counted where it happened
    case store::Put::superseded:
      counters.add(Counter::not_stored_superseded);
      break;
    case store::Put::too_large:
      counters.add(Counter::not_stored_too_large);
      break;
    case store::Put::no_room:
      counters.add(Counter::not_stored_no_room);
      break;
  }
  return put;
}

WriteBack::WriteBack(store::Store& store, observe::Counters& counters, std::uint64_t bytes_max,
                     std::function<void()> tick)
    : store_(store),
      counters_(counters),
      bytes_max_(bytes_max),
      tick_(std::move(tick)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

WriteBack::~WriteBack() {
  thread_.request_stop();
  thread_.join();
}

WriteBack::Pushed WriteBack::push(Pending pending) {
  auto item = std::make_shared<Pending>(std::move(pending));
  std::shared_ptr<Pending> superseded;  // destroyed after the lock
  {
    const std::lock_guard lock(mutex_);
    if (store::Store::overtaken(item->stamp, store_.stamp(item->key))) return Pushed::superseded;
    if (bytes_ != 0 && bytes_ + item->weight > bytes_max_) return Pushed::full;
    bytes_ += item->weight;
    ++pushed_count_;
    waiting_.fetch_add(1, std::memory_order_relaxed);
    superseded = give_up_locked(std::exchange(latest_[item->key], item));
    queue_.push_back(item);
  }
  pushed_.notify_one();
  return Pushed::queued;
}

std::shared_ptr<Pending> WriteBack::give_up_locked(std::shared_ptr<Pending> item) {
  // Others need not wait for a value that will not be written. What is being written releases it itself.
  if (item != nullptr && !item->taken) item->lease.release();
  return item;
}

std::shared_ptr<const Pending> WriteBack::find(const Key& key, std::uint64_t stamp) const {
  if (waiting_.load(std::memory_order_acquire) == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = latest_.find(key);
  if (found == latest_.end() || store::Store::overtaken(found->second->stamp, stamp)) return nullptr;
  return found->second;
}

bool WriteBack::cancel(const Key& key) {
  std::shared_ptr<Pending> cancelled;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  const auto found = latest_.find(key);
  if (found == latest_.end()) return false;
  cancelled = give_up_locked(std::move(found->second));
  latest_.erase(found);
  return true;
}

void WriteBack::cancel_all() {
  decltype(latest_) cancelled;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  cancelled.swap(latest_);
  for (auto& [key, item] : cancelled) item = give_up_locked(std::move(item));
}

void WriteBack::for_each(const std::function<void(const Pending&)>& visit) const {
  std::vector<std::shared_ptr<const Pending>> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.reserve(latest_.size());
    for (const auto& [key, item] : latest_) waiting.push_back(item);
  }
  for (const auto& item : waiting) visit(*item);
}

void WriteBack::flush() {
  if (on_own_thread()) return;
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this, target = pushed_count_] { return done_count_ >= target; });
}

std::uint64_t WriteBack::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void WriteBack::run(const std::stop_token& stop) {
  constexpr auto k_tick = std::chrono::seconds(1);
  constexpr std::uint64_t k_batch = 64;  // values that share a sync
  std::uint64_t unsynced = 0;
  writer_ = std::this_thread::get_id();
  auto next_tick = std::chrono::steady_clock::now() + k_tick;
  std::unique_lock lock(mutex_);
  while (true) {
    pushed_.wait_until(lock, stop, next_tick, [this] { return !queue_.empty(); });
    if (queue_.empty()) {
      if (stop.stop_requested()) return;
    } else {
      std::shared_ptr<Pending> item = std::move(queue_.front());
      queue_.pop_front();
      const auto is_latest = [&] {
        const auto latest = latest_.find(item->key);
        return latest != latest_.end() && latest->second == item;
      };
      if (is_latest()) {
        item->taken = true;
        lock.unlock();
        try {
          write_to_store(store_, counters_, *item);
          store_.reclaim_if_low();
        } catch (...) {
          counters_.add(Counter::fault_other);  // no memory left: the value is not stored
        }
        item->lease.release();
        lock.lock();
        if (is_latest()) latest_.erase(item->key);
      }
      bytes_ -= item->weight;
      waiting_.fetch_sub(1, std::memory_order_release);
      ++unsynced;
      const bool sync = queue_.empty() || unsynced == k_batch;
      lock.unlock();
      item.reset();  // may be the last owner of the user's value
      if (sync) store_.sync();
      lock.lock();
      if (sync) {
        done_count_ += std::exchange(unsynced, 0);
        drained_.notify_all();
      }
    }
    if (std::chrono::steady_clock::now() >= next_tick) {
      lock.unlock();
      try {
        tick_();
      } catch (...) {
        counters_.add(Counter::fault_other);
      }
      lock.lock();
      next_tick = std::chrono::steady_clock::now() + k_tick;
    }
  }
}

}  // namespace larder::detail
