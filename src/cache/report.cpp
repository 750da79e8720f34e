// What a cache tells of itself: its entries and its statistics.
#include <algorithm>
#include <unordered_set>

#include "base/clock.hpp"
#include "cache/core.hpp"

namespace larder::detail {

void Core::count_memory() {
  if (!memory_) return;
  const std::lock_guard lock(counted_mutex_);
  const memory::Usage usage = memory_->usage();
  counters_.add(Counter::memory_evicted, usage.evicted - counted_.evicted);
  counters_.add(Counter::memory_expired, usage.expired - counted_.expired);
  counted_ = usage;
}

std::vector<EntryInfo> Core::entries() {
  using std::chrono::milliseconds;
  using std::chrono::system_clock;
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.fingerprint().low; }
  };
  const std::int64_t now_ms = base::wall_ms();
  std::vector<EntryInfo> entries;
  std::unordered_set<Key, KeyHash> in_memory;
  const auto add = [&](const Key& key, Tier tier, const std::string& type, std::uint64_t bytes, std::uint64_t cost_ns,
                       std::int64_t created_ms, std::int64_t expires_ms) {
    EntryInfo info{key,
                   tier,
                   type,
                   bytes,
                   std::chrono::nanoseconds(cost_ns),
                   system_clock::time_point(milliseconds(created_ms)),
                   std::nullopt};
    if (expires_ms != memory::k_no_expiry) info.expires = system_clock::time_point(milliseconds(expires_ms));
    entries.push_back(std::move(info));
  };
  if (memory_) {
    memory_->for_each([&](const Key& key, const memory::Entry& entry) {
      if (entry.expires_ms <= now_ms || entry.stamp != stamp_of(key)) return;
      in_memory.insert(key);
      add(key, Tier::memory, entry.type->name, entry.weight, entry.cost_ns, entry.created_ms, entry.expires_ms);
    });
  }
  if (store_) {
    store_->for_each([&](const store::Listed& listed) {
      if (listed.meta.expires_ms <= now_ms || in_memory.contains(listed.key)) return;
      add(listed.key, Tier::store, listed.meta.type, listed.bytes, listed.meta.cost_ns, listed.meta.created_ms,
          listed.meta.expires_ms);
    });
  }
  return entries;
}

Stats Core::stats() {
  count_memory();
  Stats stats;
  stats.counters = counters_.totals();
  stats.degraded = degraded_;
  if (memory_) {
    const memory::Usage usage = memory_->usage();
    stats.memory_bytes = usage.bytes;
    stats.memory_entries = usage.entries;
    stats.memory_limit = memory_limit_;
  }
  if (store_) {
    const store::Usage usage = store_->usage();
    stats.store_bytes = usage.bytes;
    stats.store_limit = usage.limit;
    stats.store_segments = usage.segments;
    stats.queue_bytes = write_back_->bytes();
  }
  return stats;
}

Stats Core::shared_stats() {
  Stats stats = this->stats();
  if (!store_) return stats;
  const auto shared = store_->shared_counters();
  counters_.share(shared);
  for (std::size_t i = 0; i < std::min(shared.size(), stats.counters.size()); ++i) {
    stats.counters[i] = shared[i].load(std::memory_order_relaxed);
  }
  return stats;
}

}  // namespace larder::detail
