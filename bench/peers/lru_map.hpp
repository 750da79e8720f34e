// What a program does without a cache library: std::unordered_map, a list in order of use, a mutex; in shards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bench {

// Thread-safe. Values are shared: a get hands out ownership, as larder's does.
class LruMap {
 public:
  // REQUIRES: `shards` is a power of two.
  LruMap(std::size_t shards, std::size_t entries_max) : shards_(shards), shard_entries_max_(2 * entries_max / shards) {}

  [[nodiscard]] std::shared_ptr<const std::uint64_t> get(const std::string& key) {
    const Hashed hashed(key);
    Shard& shard = shard_of(hashed);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(hashed);
    if (found == shard.index.end()) return nullptr;
    shard.order.splice(shard.order.begin(), shard.order, found->second);
    return found->second->value;
  }

  // REQUIRES: the key is not in.
  void put(const std::string& key, std::uint64_t value) {
    Shard& shard = shard_of(Hashed(key));
    const std::lock_guard lock(shard.mutex);
    shard.order.push_front({key, std::make_shared<const std::uint64_t>(value)});
    shard.index.emplace(Hashed(shard.order.front().key), shard.order.begin());
    if (shard.order.size() > shard_entries_max_) {
      shard.index.erase(Hashed(shard.order.back().key));
      shard.order.pop_back();
    }
  }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const std::uint64_t> value;
  };
  // A key and its hash, computed once for the choice of the shard and the lookup in it.
  struct Hashed {
    explicit Hashed(std::string_view key) : text(key), hash(std::hash<std::string_view>{}(key)) {}
    bool operator==(const Hashed& other) const { return hash == other.hash && text == other.text; }
    std::string_view text;
    std::size_t hash;
  };
  struct TakeHash {
    std::size_t operator()(const Hashed& hashed) const { return hashed.hash; }
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    std::list<Entry> order;  // most recently used first
    std::unordered_map<Hashed, std::list<Entry>::iterator, TakeHash> index;
  };

  Shard& shard_of(const Hashed& hashed) { return shards_[(hashed.hash >> 48) & (shards_.size() - 1)]; }

  std::vector<Shard> shards_;
  const std::size_t shard_entries_max_;
};

}  // namespace bench
