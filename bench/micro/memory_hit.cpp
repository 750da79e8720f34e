// A hit in memory, answered with a handle that owns its share of the value: a million entries of 8 bytes.
//
// Keys come from an array in the order in which they are asked for, so that fetching the key costs nobody a cache
// miss; the "key built" races build each key from its number in the loop instead, as a program would. larder hashes
// 128 bits when a key is built, the maps hash 64 bits in get(). "two dependent reads" is no cache but the floor under
// all of them on the machine at hand: what memory alone takes. The "hot" races ask for a thousand of the million
// entries, again and again: what a hit takes when memory is not what is waited for.
#include <atomic>
#include <bit>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>

#include "harness/threads.hpp"
#include "harness/timing.hpp"
#include "micro/micro.hpp"
#include "peers/lru_map.hpp"

namespace bench {
namespace {

constexpr std::uint64_t value_of(std::uint64_t number) {
  return mix(number);
}

// The canonical bytes of the key "fit" with this number, built as larder builds them but without its hash.
std::string map_key(std::uint64_t number) {
  larder::KeyEncoder encoder;
  encoder.text("fit");
  encoder.natural(number);
  return std::move(encoder).take();
}

larder::Key larder_key(std::uint64_t number) {
  return larder::Key("fit", number);
}

// One access pattern: numbers in the order asked for, and their keys prebuilt in both forms.
struct Pattern {
  explicit Pattern(std::vector<std::uint64_t> sequence) : numbers(std::move(sequence)) {
    for (const std::uint64_t number : numbers) {
      larder_keys.push_back(larder_key(number));
      map_keys.push_back(map_key(number));
    }
  }
  std::vector<std::uint64_t> numbers;
  std::vector<larder::Key> larder_keys;
  std::vector<std::string> map_keys;
};

enum class Keys { prebuilt, built };

// ns of wall time per lookup when two threads split the pattern. `look` gets the number of a lookup in the pattern and
// returns the value found.
template <class Look>
double ns_per_lookup_of_two(const Pattern& pattern, const Look& look) {
  const std::size_t count = pattern.numbers.size();
  const std::int64_t took = time_threads(2, count, [&](std::size_t begin, std::size_t end) {
    std::uint64_t sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += look(i);
    keep(sum);
  });
  return static_cast<double>(took) / static_cast<double>(count);
}

// What no cache that hands out ownership can avoid: reading a table's cell, then the record it names, and counting an
// owner there. Keys are neither hashed nor compared, nothing is locked, nothing is ordered.
class Floor {
 public:
  explicit Floor(std::uint64_t entries)
      : mask_(std::bit_ceil(entries + entries / 2) - 1), cells_(mask_ + 1), records_(entries) {
    Random random(7);
    const std::vector<std::uint32_t> places = permutation(entries, random);
    for (std::uint64_t number = 0; number < entries; ++number) {
      cells_[mix(number) & mask_].record = places[number];
      records_[places[number]].value = value_of(number);
    }
  }
  [[nodiscard]] std::uint64_t get(std::uint64_t number) {
    Record& record = records_[cells_[mix(number) & mask_].record];
    record.owners.fetch_add(1);
    const std::uint64_t value = record.value;
    record.owners.fetch_sub(1);
    return value;
  }

 private:
  struct Cell {
    std::uint64_t tag = 0;
    std::uint64_t record = 0;
  };
  struct alignas(128) Record {
    std::atomic<std::uint64_t> owners{0};
    std::uint64_t value = 0;
  };
  std::uint64_t mask_;
  std::vector<Cell> cells_;
  std::vector<Record> records_;
};

struct Caches {
  explicit Caches(std::uint64_t entries)
      : larder(larder::Cache::open({.store = 0, .memory = std::uint64_t{512} * entries}).value()),
        one_shard(1, 2 * entries),
        many_shards(64, 2 * entries),
        floor(entries) {
    for (std::uint64_t i = 0; i < entries; ++i) {
      larder.put(larder_key(i), value_of(i));
      one_shard.put(map_key(i), std::make_shared<const std::uint64_t>(value_of(i)));
      many_shards.put(map_key(i), std::make_shared<const std::uint64_t>(value_of(i)));
    }
  }
  larder::Cache larder;
  LruMap<std::string> one_shard;
  LruMap<std::string> many_shards;
  Floor floor;
};

std::vector<Contender> contenders(Caches& caches, const Pattern& pattern, Keys keys, unsigned threads) {
  // A lookup that misses throws from get().value() or dereferences null: both end the run.
  const auto get = [&](const larder::Key& key) { return *caches.larder.get<std::uint64_t>(key).value(); };
  const auto get_or_compute = [&](const larder::Key& key) {
    return *caches.larder.get_or_compute(key, []() -> std::uint64_t { throw std::logic_error("an entry is missing"); });
  };
  const auto contender = [&pattern, threads](std::string name, bool ours, auto look) {
    return Contender{std::move(name), ours, [&pattern, threads, look]() -> std::vector<double> {
                       if (threads == 2) return {ns_per_lookup_of_two(pattern, look)};
                       const OperationTimes times =
                           time_operations(pattern.numbers.size(), 100'000, [&](std::size_t i) { keep(look(i)); });
                       return {times.ns, times.p50_ns, times.p99_ns};
                     }};
  };
  const auto with_larder_key = [&pattern, keys](auto look) {
    return [&pattern, keys, look](std::uint64_t i) {
      return keys == Keys::prebuilt ? look(pattern.larder_keys[i]) : look(larder_key(pattern.numbers[i]));
    };
  };
  const auto in_map = [&pattern, keys](LruMap<std::string>& map) {
    return [&pattern, keys, &map](std::uint64_t i) {
      return keys == Keys::prebuilt ? *map.get(pattern.map_keys[i]) : *map.get(map_key(pattern.numbers[i]));
    };
  };
  return {contender("larder get", true, with_larder_key(get)),
          contender("larder get_or_compute", true, with_larder_key(get_or_compute)),
          contender("two dependent reads", true, [&](std::uint64_t i) { return caches.floor.get(pattern.numbers[i]); }),
          contender("map+mutex+LRU, 1 shard", false, in_map(caches.one_shard)),
          contender("map+mutex+LRU, 64 shards", false, in_map(caches.many_shards))};
}

constexpr std::uint64_t k_hot = 1'000;

std::string described(std::string_view pattern) {
  if (pattern == "hot") return "for " + std::to_string(k_hot) + " of them";
  return pattern == "zipf" ? "zipf 0.99" : "uniform";
}

// Every cache has every entry, with the right value; otherwise the race would compare different work.
void verify(Caches& caches, std::uint64_t entries) {
  for (std::uint64_t i = 0; i < entries; ++i) {
    const auto ours = caches.larder.get<std::uint64_t>(larder_key(i));
    const auto one = caches.one_shard.get(map_key(i));
    const auto many = caches.many_shards.get(map_key(i));
    if (!ours || **ours != value_of(i) || !one || *one != value_of(i) || !many || *many != value_of(i)) {
      throw std::runtime_error("a cache in memory lost an entry");
    }
  }
}

}  // namespace

void memory_hit(Bench& bench) {
  struct Case {
    const char* pattern;
    Keys keys;
    unsigned threads;
    const char* name;
  };
  const std::vector<Case> cases = {
      {"hot", Keys::prebuilt, 1, "key prebuilt"},  {"hot", Keys::built, 1, "key built"},
      {"zipf", Keys::prebuilt, 1, "key prebuilt"}, {"zipf", Keys::built, 1, "key built"},
      {"zipf", Keys::prebuilt, 2, "2 threads"},    {"uniform", Keys::prebuilt, 1, "key prebuilt"},
      {"uniform", Keys::built, 1, "key built"},    {"uniform", Keys::prebuilt, 2, "2 threads"},
  };
  const std::uint64_t entries = bench.options().quick ? 20'000 : 1'000'000;
  std::optional<Caches> caches;
  for (const std::string_view name : {"hot", "zipf", "uniform"}) {
    std::optional<Pattern> pattern;
    for (const Case& one : cases) {
      const std::string experiment = std::string("memory_hit/") + one.pattern + "/" + one.name;
      if (one.pattern != name || !bench.wants(experiment)) continue;
      if (!caches) {
        caches.emplace(entries);
        verify(*caches, entries);
      }
      if (!pattern) {
        // The numbers of the hot ones are scattered over the tables by their hash.
        const std::uint64_t asked = name == "hot" ? k_hot : entries;
        pattern.emplace(draw_numbers(name == "zipf" ? Spread::zipf : Spread::uniform, asked, entries));
      }
      bench.race(experiment,
                 std::to_string(entries) + " entries of 8 bytes, as many lookups a repetition, all hits, " +
                     described(name) + (one.threads > 1 ? "; wall time over lookups of both threads" : ""),
                 one.threads == 1 ? std::vector<Metric>{{"ns/lookup"}, {"p50 ns"}, {"p99 ns"}}
                                  : std::vector<Metric>{{"ns/lookup"}},
                 contenders(*caches, *pattern, one.keys, one.threads));
    }
  }
}

}  // namespace bench
