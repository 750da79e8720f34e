// larder_bench_lifetimes: what values that expire soon cost those that last. A table on standard output.
//
//   larder_bench_lifetimes [--quick]
//
// Half of what is put into a full store of 256 MiB, 16 KiB each, expires after a second; the other half never does, and
// is asked for by Zipf (0.99), twice as much as there is room for. A value that is missed is put again. Puts are paced:
// what is put in about four seconds fills the store. Beside the one store, two of the same size together, one for each
// half: no choice of where records lie can do better than the best of these. Lookups in the first third of a run do not
// count.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <larder/larder.hpp>

#include "harness/random.hpp"
#include "harness/scratch.hpp"

namespace bench {
namespace {

using larder::Counter;
using Clock = std::chrono::steady_clock;
using Blob = std::vector<std::byte>;

constexpr std::uint64_t k_mib = std::uint64_t{1} << 20;
constexpr std::uint64_t k_limit = 256 * k_mib;
constexpr std::uint64_t k_lasting = 30'000;
constexpr auto k_round = std::chrono::microseconds(300);  // a put of one kind, a lookup of the other

struct Outcome {
  double hit_ratio;      // of what lasts
  double amplification;  // bytes written for each that was put
};

larder::Cache open(const std::filesystem::path& directory, std::uint64_t limit) {
  larder::Options options;
  options.directory = directory;
  options.store = limit;
  options.memory = 0;
  return larder::Cache::open(options).value();
}

// `for_short`: the size of a store for what expires, taken from the other's; 0: one for all.
Outcome run(const std::filesystem::path& directory, std::uint64_t for_short, std::chrono::seconds duration) {
  const Scratch scratch(directory);
  larder::Cache lasting = open(scratch.path() / "lasting", k_limit - for_short);
  larder::Cache brief = for_short == 0 ? lasting : open(scratch.path() / "brief", for_short);
  Random random(1);
  const Zipf zipf(k_lasting, 0.99);
  const Blob value(16 * 1024, std::byte{42});
  larder::EntryOptions for_long;
  for_long.cost = larder::Duration("1s");
  larder::EntryOptions for_a_second = for_long;
  for_a_second.ttl = larder::Duration("1s");
  std::uint64_t lookups = 0;
  std::uint64_t hits = 0;
  const auto begin = Clock::now();
  for (std::uint64_t round = 0; Clock::now() - begin < duration; ++round) {
    const larder::Key key("lasting", zipf(random));
    const bool hit = lasting.get<Blob>(key).has_value();
    if (!hit) lasting.put(key, value, for_long);
    brief.put(larder::Key("brief", round), value, for_a_second);
    if (Clock::now() - begin > duration / 3) {
      ++lookups;
      hits += hit ? 1 : 0;
    }
    std::this_thread::sleep_until(begin + round * k_round);
  }
  std::uint64_t written = 0;
  std::uint64_t again = 0;
  const auto add = [&](larder::Cache& cache) {
    cache.flush();
    const larder::Stats stats = cache.stats();
    written += stats[Counter::stored_bytes] + stats[Counter::reinserted_bytes];
    again += stats[Counter::reinserted_bytes];
  };
  add(lasting);
  if (for_short != 0) add(brief);
  return {static_cast<double>(hits) / static_cast<double>(lookups),
          static_cast<double>(written) / static_cast<double>(written - again)};
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  const std::chrono::seconds duration(quick ? 2 : 40);
  const std::filesystem::path directory = std::filesystem::temp_directory_path() / "larder-bench-lifetimes";
  std::printf("%d s each\n", static_cast<int>(duration.count()));
  std::printf("  %-36s %16s %16s\n", "", "hits of lasting", "written / put");
  for (const std::uint64_t for_short : std::initializer_list<std::uint64_t>{0, 32, 64, 96, 128}) {
    const Outcome outcome = run(directory, for_short * k_mib, duration);
    const std::string name = for_short == 0 ? "one store" : std::to_string(for_short) + " MiB of it for what expires";
    std::printf("  %-36s %14.1f %% %16.3f\n", name.c_str(), 100 * outcome.hit_ratio, outcome.amplification);
    std::fflush(stdout);
  }
}
