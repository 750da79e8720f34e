// What an entry takes beside its key and its value: resident memory of a process of its own, which fills one cache
// and does nothing else, the allocator and the table's empty cells included.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "harness/child.hpp"
#include "memory/contenders.hpp"
#include "memory/memory_bench.hpp"

namespace bench {
namespace {

constexpr double k_key_bytes = 8;
constexpr double k_value_bytes = 8;

double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  double total = 0;
  double resident = 0;
  if (!(in >> total >> resident)) throw std::runtime_error("cannot read /proc/self/statm");
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::uint64_t available_bytes() {
  std::ifstream in("/proc/meminfo");
  for (std::string name; in >> name;) {
    std::uint64_t kib = 0;
    if (name == "MemAvailable:" && in >> kib) return kib << 10;
  }
  throw std::runtime_error("/proc/meminfo does not say MemAvailable");
}

// Those that can be given a value to share; oneTBB's cache has the 8 bytes of either in its node.
template <class C>
concept TakesPointers = requires(C cache, const typename C::Key& key, std::shared_ptr<const std::uint64_t> value) {
  cache.put(key, value);
};

// Bytes an entry, beside 8 of the key and 8 of the value or of the pointer to it. With `shared`, all entries have the
// same value, which is nobody's overhead.
template <class C>
double bytes_per_entry(std::uint64_t entries, bool shared) {
  const double before = resident_bytes();
  C cache(2 * entries);
  const auto value = std::make_shared<const std::uint64_t>(0);
  for (std::uint64_t i = 0; i < entries; ++i) {
    const auto key = key_for<C, std::uint64_t>(i);
    if constexpr (TakesPointers<C>) {
      if (shared) {
        cache.put(key, value);
        continue;
      }
    }
    cache.put(key, i);
  }
  return (resident_bytes() - before) / static_cast<double>(entries) - k_key_bytes - k_value_bytes;
}

double in_child(const std::string& contender, std::uint64_t entries, bool shared) {
  Child child({"--role", "overhead", contender, std::to_string(entries), shared ? "shared" : "own"});
  const double bytes = std::stod(child.read_line());
  child.join();
  return bytes;
}

}  // namespace

void overhead(Bench& bench) {
  struct Case {
    const char* name;
    std::uint64_t entries;
    std::uint64_t gib_needed;  // of the greediest contender
    int repetitions_max;
  };
  for (const Case& one :
       {Case{"overhead/1M entries", 1'000'000, 2, 3}, Case{"overhead/20M entries", 20'000'000, 8, 1}}) {
    if (!bench.wants(one.name)) continue;
    const bool large = one.repetitions_max == 1;
    if (large && bench.options().quick) {
      bench.skip(one.name, "all", "left out by --quick");
      continue;
    }
    if (available_bytes() < one.gib_needed << 30) {
      bench.skip(one.name, "all", "less than " + std::to_string(one.gib_needed) + " GiB of memory are available");
      continue;
    }
    const std::uint64_t entries = bench.options().quick ? 50'000 : one.entries;
    std::vector<Contender> contenders;
    for_each_contender<std::uint64_t>([&]<class C>(std::type_identity<C>) {
      contenders.push_back({C::k_name, is_ours<C>, [entries]() -> std::vector<double> {
                              // The public API takes values, no pointers to share.
                              const double pointer = std::is_same_v<C, MemoryCache>
                                                         ? std::numeric_limits<double>::quiet_NaN()
                                                         : in_child(C::k_name, entries, true);
                              return {pointer, in_child(C::k_name, entries, false)};
                            }});
    });
    bench.race_side_by_side(one.name,
                            std::to_string(entries) +
                                " entries with ids of 8 bytes; resident bytes an entry, less 8 of the key and 8 of the "
                                "pointer to a value that all share, or of a value of its own",
                            {{"B, pointer"}, {"B, own value"}}, contenders, {},
                            {0, std::min(bench.options().repetitions, one.repetitions_max)});
  }
}

int play_role(const std::vector<std::string>& arguments) {
  for_each_contender<std::uint64_t>([&]<class C>(std::type_identity<C>) {
    if (arguments.at(1) != C::k_name) return;
    std::cout << bytes_per_entry<C>(std::stoull(arguments.at(2)), arguments.at(3) == "shared") << std::endl;
  });
  return 0;
}

}  // namespace bench
