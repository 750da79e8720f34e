// What operations in memory cost one thread, and what several threads get done: hits, inserts into a full cache, both
// mixed, and one key that all threads ask for.
//
// Keys come from an array in the order in which they are asked for, so that fetching the key costs nobody a cache miss
// ("key built" builds larder's from the id or the text instead, as a program would). Every answer is compared with what
// was put.
#include <atomic>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "harness/threads.hpp"
#include "harness/workload.hpp"
#include "memory/contenders.hpp"
#include "memory/memory_bench.hpp"

namespace bench {
namespace {

enum class Work {
  hit,          // for what is in, zipf 0.99
  insert,       // a fresh key into a full cache
  miss_insert,  // the same, after a lookup that missed
  mixed,        // lookups, zipf 0.99, and an insert after each miss
  hot,          // hits of one key
};

constexpr bool takes_fresh_keys(Work work) {
  return work == Work::insert || work == Work::miss_insert;
}

struct Scale {
  std::uint64_t entries;
  std::uint64_t operations;  // a turn; a power of two
};

Scale scale_of(const Options& options) {
  return options.quick ? Scale{10'000, 1 << 14} : Scale{1'000'000, 1 << 20};
}

// Keys in the order in which they are asked for, again from the start after the last one. As many as a power of two.
template <class Key>
struct Stream {
  std::vector<std::uint64_t> numbers;
  std::vector<Key> keys;
};

template <class C, class K>
Stream<typename C::Key> stream_of(std::vector<std::uint64_t> numbers) {
  Stream<typename C::Key> stream{std::move(numbers), {}};
  stream.keys.reserve(stream.numbers.size());
  for (const std::uint64_t number : stream.numbers) stream.keys.push_back(key_for<C, K>(number));
  return stream;
}

struct Turn {
  double ns;      // wall time of an operation, over those of all threads
  double cpu_ns;  // processor time of an operation
  double hits_percent;
};

// One contender's cache and what it is asked for; called for a turn with so many threads.
using Lane = std::function<Turn(unsigned threads)>;

// What is asked for, unless each turn takes fresh keys.
std::vector<std::uint64_t> numbers_of(Work work, const Scale& scale) {
  if (takes_fresh_keys(work)) return {};
  if (work == Work::hot) return {0};
  // Each turn of the mixed work is another quarter of its stream: of the same one again, all would soon be in.
  if (work == Work::mixed) return draw_numbers(Spread::zipf, 8 * scale.entries, 4 * scale.operations);
  return draw_numbers(Spread::zipf, scale.entries, scale.operations);
}

template <Work work, class C>
bool operate(C& cache, const typename C::Key& key, std::uint64_t number) {
  if constexpr (work == Work::hit || work == Work::hot) {
    return expect_number(cache.get(key), number), true;
  } else if constexpr (work == Work::insert) {
    return cache.put(key, number), false;
  } else {
    return cache.get_or_put(key, number);
  }
}

template <Work work, class C, class K>
Lane lane_of(const Scale& scale, const std::vector<std::uint64_t>& numbers) {
  struct State {
    State(std::uint64_t capacity, Stream<typename C::Key> asked_for) : cache(capacity), stream(std::move(asked_for)) {}
    C cache;
    Stream<typename C::Key> stream;
    std::uint64_t next = 0;  // in an endless sequence: of the stream, or of fresh numbers
  };
  // Where nothing is to leave there is room for twice as many: shards do not fill evenly.
  const bool leave = takes_fresh_keys(work) || work == Work::mixed;
  auto state = std::make_shared<State>(leave ? scale.entries : 2 * scale.entries, stream_of<C, K>(numbers));
  for (std::uint64_t i = 0; i < scale.entries; ++i) state->cache.put(key_for<C, K>(i), i);
  if (takes_fresh_keys(work)) state->next = scale.entries;
  return [state, count = scale.operations](unsigned threads) -> Turn {
    std::uint64_t first = state->next;
    state->next += count;
    if (takes_fresh_keys(work)) {
      std::vector<std::uint64_t> fresh(count);
      std::iota(fresh.begin(), fresh.end(), first);
      state->stream = stream_of<C, K>(std::move(fresh));
      first = 0;
    }
    const std::uint64_t mask = state->stream.keys.size() - 1;
    std::atomic<std::uint64_t> hits{0};
    const std::int64_t cpu_before = cpu_ns();
    const std::int64_t took = time_threads(threads, count, [&](std::size_t begin, std::size_t end) {
      std::uint64_t own_hits = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const std::uint64_t at = (first + i) & mask;
        own_hits += operate<work>(state->cache, state->stream.keys[at], state->stream.numbers[at]) ? 1 : 0;
      }
      hits += own_hits;
    });
    const std::int64_t cpu = cpu_ns() - cpu_before;
    return {static_cast<double>(took) / static_cast<double>(count),
            static_cast<double>(cpu) / static_cast<double>(count),
            100 * static_cast<double>(hits) / static_cast<double>(count)};
  };
}

constexpr unsigned k_threads[] = {1, 2, 4, 8};

template <Work work, class K>
void run(Bench& bench, const std::string& name, const std::string& ran) {
  const std::string of_keys = std::is_same_v<K, std::string> ? "/16B text/" : "/8B id/";
  const std::string alone = name + of_keys + "1 thread";
  const std::string together = name + of_keys + "threads";
  if (!bench.wants(alone) && !bench.wants(together)) return;

  const Scale scale = scale_of(bench.options());
  const std::vector<std::uint64_t> numbers = numbers_of(work, scale);
  std::vector<Contender> contenders_alone;
  std::vector<Contender> contenders_together;
  const auto enter = [&]<class C>(std::type_identity<C>) {
    const Lane lane = lane_of<work, C, K>(scale, numbers);
    contenders_alone.push_back({C::k_name, is_ours<C>, [lane]() -> std::vector<double> {
                                  const Turn turn = lane(1);
                                  if (work != Work::mixed) return {turn.ns, turn.cpu_ns};
                                  return {turn.ns, turn.cpu_ns, turn.hits_percent};
                                }});
    contenders_together.push_back({C::k_name, is_ours<C>, [lane] {
                                     std::vector<double> readings;
                                     for (const unsigned threads : k_threads) {
                                       readings.push_back(1e3 / lane(threads).ns);
                                     }
                                     for (std::size_t i = 1; i < std::size(k_threads); ++i) {
                                       readings.push_back(readings[i] / readings[0]);
                                     }
                                     return readings;
                                   }});
  };
  for_each_contender<K>(enter);
  if constexpr (work == Work::hit) enter(std::type_identity<MemoryCacheBuildingKeys<K>>{});
  const std::string what = std::to_string(scale.entries) + " entries of 8 bytes, " + std::to_string(scale.operations) +
                           " operations a turn, " + ran;
  if (bench.wants(alone)) {
    std::vector<Metric> metrics = {{"ns/op"}, {"CPU ns/op"}};
    if (work == Work::mixed) metrics.push_back({"hits %", Better::higher});
    bench.race(alone, what, metrics, contenders_alone);
  }
  if (bench.wants(together)) {
    std::vector<Metric> metrics;
    for (const unsigned threads : k_threads) {
      metrics.push_back({"M ops/s, " + std::to_string(threads), Better::higher});
    }
    for (std::size_t i = 1; i < std::size(k_threads); ++i) {
      metrics.push_back({std::to_string(k_threads[i]) + " over 1", Better::higher});
    }
    bench.race_side_by_side(together, what + "; by 1, 2, 4 and 8 threads together", metrics, contenders_together, {},
                            {1, bench.options().repetitions});
  }
}

template <class K>
void run_all(Bench& bench) {
  run<Work::hit, K>(bench, "hit", "all hits, zipf 0.99");
  run<Work::insert, K>(bench, "insert", "fresh keys, the cache is full");
  run<Work::miss_insert, K>(bench, "miss+insert", "fresh keys, each looked up and put, the cache is full");
  run<Work::mixed, K>(bench, "mixed", "zipf 0.99 over eight times as many keys, put when missed");
  run<Work::hot, K>(bench, "hot key", "all of one key");
}

}  // namespace

void throughput(Bench& bench) {
  run_all<std::uint64_t>(bench);
  run_all<std::string>(bench);
}

int count_operations(const std::string& operation, std::uint64_t count) {
  constexpr std::uint64_t k_entries = 100'000;
  constexpr std::uint64_t k_count_max = 400'000;
  if (count > k_count_max) throw std::invalid_argument("--count goes up to " + std::to_string(k_count_max));
  Tier tier(k_entries);
  // As many keys whatever the count.
  std::vector<larder::Key> keys;
  for (std::uint64_t i = 0; i < k_entries + k_count_max; ++i) keys.push_back(key_for<Tier, std::uint64_t>(i));
  for (std::uint64_t i = 0; i < k_entries; ++i) tier.put(keys[i], i);
  if (operation == "hit") {
    for (std::uint64_t i = 0; i < count; ++i) expect_number(tier.get(keys[i % k_entries]), i % k_entries);
  } else if (operation == "insert") {
    for (std::uint64_t i = k_entries; i < k_entries + count; ++i) tier.put(keys[i], i);
  } else {
    throw std::invalid_argument("--count counts hit or insert, not " + operation);
  }
  std::cout << "evicted: " << tier.usage().evicted << "\n";
  return 0;
}

}  // namespace bench
