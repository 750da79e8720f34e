// What a program does without a cache library: std::unordered_map, a list in order of use, a mutex; in shards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bench {

// Thread-safe. Values are shared: a get hands out ownership, as larder's does. K is std::string, or an id of 64 bits
// that are as good as random (std::hash takes an id as it is).
template <class K>
class LruMap {
 public:
  using Value = std::shared_ptr<const std::uint64_t>;

  // Each shard keeps its part of the entries. REQUIRES: `shards` is a power of two.
  LruMap(std::size_t shards, std::size_t entries_max) : shards_(shards), shard_entries_max_(entries_max / shards) {}

  [[nodiscard]] Value get(const K& key) {
    const Hashed hashed(key);
    Shard& shard = shard_of(hashed);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(hashed);
    if (found == shard.index.end()) return nullptr;
    shard.order.splice(shard.order.begin(), shard.order, found->second);
    return found->second->value;
  }

  // Replaces what the key had. The node is made, and what leaves is destroyed, outside the lock.
  void put(const K& key, Value value) {
    std::list<Entry> node;
    node.push_back({key, std::move(value)});
    const Hashed hashed(node.front().key);
    Shard& shard = shard_of(hashed);
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.index.find(hashed); found != shard.index.end()) {
      std::swap(found->second->value, node.front().value);
      shard.order.splice(shard.order.begin(), shard.order, found->second);
      return;
    }
    shard.order.splice(shard.order.begin(), node);
    shard.index.emplace(hashed, shard.order.begin());
    if (shard.order.size() > shard_entries_max_) {
      shard.index.erase(Hashed(shard.order.back().key));
      node.splice(node.begin(), shard.order, std::prev(shard.order.end()));
    }
  }

 private:
  struct Entry {
    K key;
    Value value;
  };
  // A key, of a text a view of it, and its hash, computed once for the choice of the shard and the lookup in it.
  struct Hashed {
    using Seen = std::conditional_t<std::is_same_v<K, std::string>, std::string_view, K>;
    explicit Hashed(const K& key) : seen(key), hash(std::hash<Seen>{}(seen)) {}
    bool operator==(const Hashed& other) const { return hash == other.hash && seen == other.seen; }
    Seen seen;
    std::size_t hash;
  };
  struct TakeHash {
    std::size_t operator()(const Hashed& hashed) const { return hashed.hash; }
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    std::list<Entry> order;  // most recently used first
    std::unordered_map<Hashed, typename std::list<Entry>::iterator, TakeHash> index;
  };

  Shard& shard_of(const Hashed& hashed) { return shards_[(hashed.hash >> 48) & (shards_.size() - 1)]; }

  std::vector<Shard> shards_;
  const std::size_t shard_entries_max_;
};

}  // namespace bench
