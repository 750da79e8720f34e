// What a cache tells of itself: its entries and its statistics.
#include <algorithm>
#include <unordered_set>

#include "cache/core.hpp"

namespace larder::detail {

namespace {

// `fresh_ms`: k_no_expiry where it is fresh for as long as it is kept.
EntryInfo info_of(const Key& key, Tier tier, const std::string& type, std::uint64_t bytes, std::uint64_t cost_ns,
                  std::int64_t created_ms, std::int64_t expires_ms, std::int64_t fresh_ms) {
  using std::chrono::milliseconds;
  using std::chrono::system_clock;
  EntryInfo info{key,
                 tier,
                 type,
                 bytes,
                 std::nullopt,
                 std::chrono::nanoseconds(cost_ns),
                 system_clock::time_point(milliseconds(created_ms)),
                 std::nullopt};
  const std::int64_t fresh_until = std::min(fresh_ms, expires_ms);
  if (fresh_until != memory::k_no_expiry) info.expires = system_clock::time_point(milliseconds(fresh_until));
  info.no_answer = type == k_type<NoAnswer>.name();
  if (fresh_until != expires_ms) info.stale_until = system_clock::time_point(milliseconds(expires_ms));
  return info;
}

std::int64_t fresh_until(const memory::Entry& entry) {
  const StampedOwner* const carried = stamped_owner(entry.value);
  return carried == nullptr ? entry.expires_ms : std::min(carried->fresh_ms, entry.expires_ms);
}

EntryInfo info_of(const Key& key, const memory::Entry& entry) {
  return info_of(key, Tier::memory, entry.type->name(), entry.weight, entry.cost_ns, entry.created_ms, entry.expires_ms,
                 fresh_until(entry));
}

EntryInfo info_of(const Pending& pending) {
  return info_of(pending.key, Tier::memory, pending.type->name(), pending.weight, pending.meta.cost_ns,
                 pending.meta.created_ms, pending.meta.expires_ms, pending.meta.fresh_ms);
}

EntryInfo info_of(const store::Listed& listed) {
  const bool compressed = listed.meta.raw_bytes != 0;
  EntryInfo info = info_of(listed.key, Tier::store, listed.meta.type, compressed ? listed.meta.raw_bytes : listed.bytes,
                           listed.meta.cost_ns, listed.meta.created_ms, listed.meta.expires_ms, listed.meta.fresh_ms);
  if (compressed) info.compressed_bytes = listed.bytes;
  return info;
}

}  // namespace

void Core::count_memory() {
  if (!memory_) return;
  const std::lock_guard lock(counted_mutex_);
  const memory::Usage usage = memory_->usage();
  counters_.add(Counter::memory_evicted, usage.evicted - counted_.evicted);
  counters_.add(Counter::memory_expired, usage.expired - counted_.expired);
  counted_ = usage;
}

std::optional<EntryInfo> Core::entry(const Key& key) {
  const std::uint64_t stamp = stamp_of(key);
  const std::int64_t now_ms = clock_.now_ms();
  if (memory_) {
    const std::optional<memory::Entry> found = memory_->find(key, stamp, now_ms);
    if (found && !outdated(found->value)) {
      return now_ms < fresh_until(*found) ? std::optional(info_of(key, *found)) : std::nullopt;
    }
  }
  if (!store_) return std::nullopt;
  if (const auto pending = write_back_->find(key, stamp)) {
    if (now_ms >= pending->meta.fresh_until() || outdated(pending->value)) return std::nullopt;
    return info_of(*pending);
  }
  const std::optional<store::Listed> listed = store_->find(key);
  return listed && now_ms < listed->meta.fresh_until() ? std::optional(info_of(*listed)) : std::nullopt;
}

std::vector<EntryInfo> Core::entries() {
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.fingerprint().low; }
  };
  const std::int64_t now_ms = clock_.now_ms();
  std::vector<EntryInfo> entries;
  std::unordered_set<Key, KeyHash> listed;
  if (memory_) {
    memory_->for_each([&](const Key& key, const memory::Entry& entry) {
      if (entry.expires_ms <= now_ms || entry.stamp != stamp_of(key) || outdated(entry.value)) return;
      listed.insert(key);
      entries.push_back(info_of(key, entry));
    });
  }
  if (store_) {
    write_back_->for_each([&](const Pending& pending) {
      const bool overtaken = store::Store::overtaken(pending.stamp, stamp_of(pending.key));
      if (overtaken || pending.meta.expires_ms <= now_ms || outdated(pending.value)) return;
      if (listed.insert(pending.key).second) entries.push_back(info_of(pending));
    });
    store_->for_each([&](const store::Listed& record) {
      if (record.meta.expires_ms <= now_ms || listed.contains(record.key)) return;
      entries.push_back(info_of(record));
    });
  }
  return entries;
}

Stats Core::stats() {
  count_memory();
  Stats stats;
  stats.counters = counters_.totals();
  if (degraded_) {
    stats.degraded = degraded_->what();
    stats.degraded_help = degraded_->help();
  }
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
