// Whether several threads cost hits: the same requests by one thread and by many, on caches that hold a tenth of the
// keys. Requests are taken one by one from one sequence, so that many threads ask in nearly the same order as one.
#include <atomic>

#include "harness/threads.hpp"
#include "harness/workload.hpp"
#include "memory/contenders.hpp"
#include "memory/memory_bench.hpp"

namespace bench {
namespace {

template <class C>
double hits_percent(std::uint64_t entries, const std::vector<std::uint64_t>& numbers, unsigned threads) {
  C cache(entries);
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> hits{0};
  (void)time_threads(threads, threads, [&](std::size_t, std::size_t) {
    std::uint64_t own_hits = 0;
    for (std::size_t i = next++; i < numbers.size(); i = next++) {
      own_hits += cache.get_or_put(key_for<C, std::uint64_t>(numbers[i]), numbers[i]) ? 1 : 0;
    }
    hits += own_hits;
  });
  return 100 * static_cast<double>(hits) / static_cast<double>(numbers.size());
}

}  // namespace

void hit_ratio(Bench& bench) {
  const std::string name = "hit ratio/zipf";
  if (!bench.wants(name)) return;
  constexpr unsigned k_many = 16;
  const std::uint64_t keys = bench.options().quick ? 10'000 : 1'000'000;
  const std::vector<std::uint64_t> numbers = draw_numbers(Spread::zipf, keys, 5 * keys);
  std::vector<Contender> contenders;
  for_each_contender<std::uint64_t>([&]<class C>(std::type_identity<C>) {
    contenders.push_back({C::k_name, is_ours<C>, [&]() -> std::vector<double> {
                            const double one = hits_percent<C>(keys / 10, numbers, 1);
                            const double many = hits_percent<C>(keys / 10, numbers, k_many);
                            return {one, many, many - one};
                          }});
  });
  bench.race_side_by_side(name,
                          std::to_string(numbers.size()) + " requests, zipf 0.99 over " + std::to_string(keys) +
                              " keys, put when missed; room for a tenth of them",
                          {{"hits %, 1", Better::higher},
                           {"hits %, " + std::to_string(k_many), Better::higher},
                           {"difference", Better::higher}},
                          contenders, {}, {0, std::min(bench.options().repetitions, 3)});
}

}  // namespace bench
