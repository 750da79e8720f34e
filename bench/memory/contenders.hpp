// The contenders in memory, all alike. For K, a 64-bit id or a text of 16 bytes:
//
//   C(entries)                    keeps so many entries
//   Key                           what it takes: larder's key, or K itself
//   get(key) -> optional<number>  read through a handle that owns its share of the value, which is dropped
//   put(key, number)              replaces what the key had; evicts if there is no room
//   get_or_put(key, number)       whether it was in, and then has this number; puts it if not
//   k_name                        for the report, and by which a child process finds the class
//
// A value is the key's number, in an object of its own with shared ownership (oneTBB's cache: in its node).
#pragma once

#include <larder/larder.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "harness/random.hpp"
#include "memory/memory.hpp"
#include "peers/lru_map.hpp"
#include "peers/tbb_lru.hpp"

namespace bench {

// Throws if a contender answered with something else than was put.
inline void expect_number(std::optional<std::uint64_t> found, std::uint64_t number) {
  if (found != number) throw std::runtime_error("a contender in memory lost an entry, or gave another's value");
}

// Reads like random bits, as ids that are hashes of something do.
[[nodiscard]] constexpr std::uint64_t id_of(std::uint64_t number) noexcept {
  return mix(number ^ 0x6d656d);
}

template <class K>
[[nodiscard]] K plain_key(std::uint64_t number);
template <>
[[nodiscard]] inline std::uint64_t plain_key<std::uint64_t>(std::uint64_t number) {
  return id_of(number);
}
template <>
[[nodiscard]] inline std::string plain_key<std::string>(std::uint64_t number) {
  constexpr char k_digits[] = "0123456789abcdef";
  std::string text(16, '0');
  std::uint64_t bits = id_of(number);
  for (char& digit : text) {
    digit = k_digits[bits & 15];
    bits >>= 4;
  }
  return text;
}

// The key that contender C takes.
template <class C, class K>
[[nodiscard]] typename C::Key key_for(std::uint64_t number) {
  if constexpr (std::is_same_v<typename C::Key, larder::Key>) {
    return larder::Key("fit", plain_key<K>(number));
  } else {
    return plain_key<K>(number);
  }
}

// The memory tier as the cache uses it, without the cache above it.
class Tier {
 public:
  static constexpr const char* k_name = "larder tier";
  using Key = larder::Key;

  // The limit counts values alone, so that it means so many entries whatever the tier spends on each.
  explicit Tier(std::uint64_t entries)
      : tier_(larder::memory::Limits{.bytes = entries * k_weight, .entry_overhead = 0}) {}

  [[nodiscard]] std::optional<std::uint64_t> get(const Key& key) {
    const larder::memory::Lookup lookup = tier_.get(key, 0, larder::base::Clock());
    if (lookup.value == nullptr) return std::nullopt;
    return *static_cast<const std::uint64_t*>(lookup.value.get());
  }
  void put(const Key& key, std::uint64_t number) { put(key, std::make_shared<const std::uint64_t>(number)); }
  void put(const Key& key, larder::detail::Value value) {
    larder::memory::Entry entry;
    entry.value = std::move(value);
    entry.weight = k_weight;
    tier_.put(key, std::move(entry));
  }
  bool get_or_put(const Key& key, std::uint64_t number) {
    const std::optional<std::uint64_t> found = get(key);
    if (!found) return put(key, number), false;
    return expect_number(found, number), true;
  }
  [[nodiscard]] larder::memory::Usage usage() const { return tier_.usage(); }

 private:
  static constexpr std::uint64_t k_weight = sizeof(std::uint64_t);
  larder::memory::MemoryTier tier_;
};

// The cache through its public API, with memory alone.
class MemoryCache {
 public:
  static constexpr const char* k_name = "larder cache";
  using Key = larder::Key;

  explicit MemoryCache(std::uint64_t entries) : cache_(open(entries)) {}

  [[nodiscard]] std::optional<std::uint64_t> get(const Key& key) {
    const std::optional<larder::Ref<std::uint64_t>> found = cache_.get<std::uint64_t>(key);
    if (!found) return std::nullopt;
    return **found;
  }
  void put(const Key& key, std::uint64_t number) { cache_.put(key, number); }
  bool get_or_put(const Key& key, std::uint64_t number) {
    const larder::Ref<std::uint64_t> found = cache_.get_or_compute(key, [number] { return number; });
    return expect_number(*found, number), found.source() != larder::Tier::computed;
  }

 private:
  static larder::Cache open(std::uint64_t entries) {
    larder::Options options;
    options.store = 0;
    options.memory = std::uint64_t{1024} * entries;  // more than so many take: their number is the limit
    options.memory_entries = entries;
    return larder::Cache::open(options).value();
  }

  larder::Cache cache_;
};

// The same cache asked with keys that are built where they are used, as a program does.
template <class K>
class MemoryCacheBuildingKeys {
 public:
  static constexpr const char* k_name = "larder cache, key built";
  using Key = K;

  explicit MemoryCacheBuildingKeys(std::uint64_t entries) : cache_(entries) {}

  [[nodiscard]] std::optional<std::uint64_t> get(const K& key) { return cache_.get({"fit", key}); }
  void put(const K& key, std::uint64_t number) { cache_.put({"fit", key}, number); }

 private:
  MemoryCache cache_;
};

template <class K, std::size_t shards>
class Map {
 public:
  static constexpr const char* k_name = shards == 1 ? "map+mutex+LRU, 1 shard" : "map+mutex+LRU, 64 shards";
  static_assert(shards == 1 || shards == 64);
  using Key = K;

  explicit Map(std::uint64_t entries) : map_(shards, entries) {}

  [[nodiscard]] std::optional<std::uint64_t> get(const K& key) {
    const std::shared_ptr<const std::uint64_t> found = map_.get(key);
    if (found == nullptr) return std::nullopt;
    return *found;
  }
  void put(const K& key, std::uint64_t number) { put(key, std::make_shared<const std::uint64_t>(number)); }
  void put(const K& key, std::shared_ptr<const std::uint64_t> value) { map_.put(key, std::move(value)); }
  bool get_or_put(const K& key, std::uint64_t number) {
    const std::optional<std::uint64_t> found = get(key);
    if (!found) return put(key, number), false;
    return expect_number(found, number), true;
  }

 private:
  LruMap<K> map_;
};

template <class K>
class Tbb {
 public:
  static constexpr const char* k_name = "oneTBB LRU cache";
  using Key = K;

  explicit Tbb(std::uint64_t entries) : cache_(entries) {}

  // A get that missed would have put what it then answers with.
  [[nodiscard]] std::optional<std::uint64_t> get(const K& key) {
    const auto asked = cache_.ask(key, 0);
    if (asked.made) return std::nullopt;
    return asked.value;
  }
  void put(const K& key, std::uint64_t number) { get_or_put(key, number); }
  bool get_or_put(const K& key, std::uint64_t number) {
    const auto asked = cache_.ask(key, number);
    return expect_number(asked.value, number), !asked.made;
  }

 private:
  TbbLru<K> cache_;
};

template <class C>
inline constexpr bool is_ours = std::string_view(C::k_name).starts_with("larder");

// Calls visit(std::type_identity<C>{}) for each contender, those of larder first.
template <class K, class Visit>
void for_each_contender(Visit&& visit) {
  visit(std::type_identity<Tier>{});
  visit(std::type_identity<MemoryCache>{});
  visit(std::type_identity<Map<K, 1>>{});
  visit(std::type_identity<Map<K, 64>>{});
  visit(std::type_identity<Tbb<K>>{});
}

}  // namespace bench
