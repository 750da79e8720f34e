// oneTBB's concurrent_lru_cache: a std::map and a list of what nobody holds, behind an aggregator; handles pin.
#pragma once

#define TBB_PREVIEW_CONCURRENT_LRU_CACHE 1
#include <tbb/concurrent_lru_cache.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bench {

// Thread-safe. Its only call is "give me a handle of this key's value, making it if it is missing": a lookup that
// cannot miss, and a put that never replaces.
template <class K>
class TbbLru {
 public:
  explicit TbbLru(std::size_t entries_max) : cache_(&take_coming, entries_max) {}

  struct Asked {
    std::uint64_t value;  // read through the handle
    bool made;
  };
  // `value` is what the key gets if it is missing.
  [[nodiscard]] Asked ask(const K& key, std::uint64_t value) {
    coming = {value, false};
    auto handle = cache_[key];
    return {handle.value(), coming.taken};
  }

 private:
  struct Coming {
    std::uint64_t value;
    bool taken;
  };
  // The cache knows a function of the key alone.
  static std::uint64_t take_coming(K /*key*/) {
    coming.taken = true;
    return coming.value;
  }
  inline static thread_local Coming coming{};

  tbb::concurrent_lru_cache<K, std::uint64_t> cache_;
};

}  // namespace bench
