// What get_or_compute costs beyond the computation when nobody else wants the key, and how soon it says that a
// computation came back to its own key.
#include <larder/larder.hpp>

#include <memory>
#include <stdexcept>

#include "harness/timing.hpp"
#include "memory/contenders.hpp"
#include "memory/memory_bench.hpp"

namespace bench {
namespace {

// Misses of fresh keys whose computation takes nothing, in a cache that is full.
template <class C>
class Misses {
 public:
  Misses(std::uint64_t entries, std::uint64_t count) : cache_(entries), count_(count) {
    for (; next_ < entries; ++next_) cache_.put(key_for<C, std::uint64_t>(next_), next_);
  }
  std::vector<double> take_turn() {
    std::vector<typename C::Key> keys;
    for (std::uint64_t i = 0; i < count_; ++i) keys.push_back(key_for<C, std::uint64_t>(next_ + i));
    const std::int64_t cpu_before = cpu_ns();
    const std::int64_t start = now_ns();
    for (const auto& key : keys) {
      if (cache_.get_or_put(key, next_++)) throw std::runtime_error("a fresh key was in");
    }
    const auto count = static_cast<double>(count_);
    const std::int64_t took = now_ns() - start;
    return {static_cast<double>(took) / count, static_cast<double>(cpu_ns() - cpu_before) / count};
  }

 private:
  C cache_;
  const std::uint64_t count_;
  std::uint64_t next_ = 0;
};

void miss(Bench& bench) {
  const std::string name = "miss/uncontended";
  if (!bench.wants(name)) return;
  const std::uint64_t entries = bench.options().quick ? 1'000 : 100'000;
  std::vector<Contender> contenders;
  for_each_contender<std::uint64_t>([&]<class C>(std::type_identity<C>) {
    const auto misses = std::make_shared<Misses<C>>(entries, entries);
    contenders.push_back({C::k_name, is_ours<C>, [misses] { return misses->take_turn(); }});
  });
  // What is required is said of get_or_compute: the tier alone is no contender for that, and comes after it.
  std::swap(contenders[0], contenders[1]);
  bench.race(name, std::to_string(entries) + " fresh ids and a computation that takes nothing, the cache is full",
             {{"ns/miss"}, {"CPU ns/miss"}}, contenders);
}

// From the call that closes the cycle until its Error is caught there, in microseconds.
std::vector<double> close_cycles(larder::Cache& cache, std::uint64_t first, std::uint64_t count) {
  std::vector<std::int64_t> took;
  for (std::uint64_t i = first; i < first + count; ++i) {
    const larder::Key a("a", i);
    const larder::Key b("b", i);
    cache.get_or_compute(a, [&] {
      return *cache.get_or_compute(b, [&] {
        const std::int64_t start = now_ns();
        try {
          return *cache.get_or_compute(a, [] { return 0; });
        } catch (const larder::Error& error) {
          if (error.code() != larder::Errc::cycle) throw;
          took.push_back(now_ns() - start);
        }
        return 1;
      });
    });
  }
  if (took.size() != count) throw std::runtime_error("a cycle was not reported");
  return {static_cast<double>(quantile(took, 0.5)) / 1e3, static_cast<double>(quantile(took, 0.99)) / 1e3,
          static_cast<double>(quantile(took, 1)) / 1e3};
}

void recursion(Bench& bench) {
  const std::string name = "recursion/A -> B -> A";
  if (!bench.wants(name)) return;
  constexpr std::uint64_t k_count = 1'000;
  larder::Options options;
  options.store = 0;
  larder::Cache cache = larder::Cache::open(options).value();
  std::uint64_t next = 0;
  const auto turn = [&] {
    next += k_count;
    return close_cycles(cache, next, k_count);
  };
  bench.race_side_by_side(name,
                          std::to_string(k_count) + " cycles; from the call that closes one to Error(cycle) there",
                          {{"p50 us"}, {"p99 us"}, {"max us"}}, {{"larder get_or_compute", true, turn}}, {},
                          {1, bench.options().repetitions});
}

}  // namespace

void flights(Bench& bench) {
  miss(bench);
  recursion(bench);
}

}  // namespace bench
