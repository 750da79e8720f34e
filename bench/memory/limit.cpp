// Whether the limit holds at every instant that one can look: 64 threads put values of 1 KiB to 64 MiB while another
// asks for the usage a thousand times a second.
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "harness/random.hpp"
#include "harness/timing.hpp"
#include "memory/memory.hpp"
#include "memory/memory_bench.hpp"

namespace bench {
namespace {

constexpr unsigned k_writers = 64;
constexpr std::uint64_t k_limit = std::uint64_t{1} << 30;
constexpr double k_value_min = 1 << 10;
constexpr double k_value_max = 64 << 20;

// Sizes of which as many lie between 1 and 2 KiB as between 32 and 64 MiB. Their memory is asked for and not touched:
// writing it would leave little time for putting.
larder::memory::Entry draw_entry(Random& random) {
  const auto bytes = static_cast<std::size_t>(k_value_min * std::pow(k_value_max / k_value_min, random.unit()));
  larder::memory::Entry entry;
  entry.value = std::make_shared_for_overwrite<std::byte[]>(bytes);
  entry.weight = bytes;
  return entry;
}

std::vector<double> put_and_look(std::chrono::milliseconds duration) {
  larder::memory::MemoryTier tier({.bytes = k_limit});
  std::atomic<std::uint64_t> puts{0};
  std::uint64_t samples = 0;
  std::uint64_t most = 0;
  std::int64_t start = 0;
  std::int64_t end = 0;
  {
    std::vector<std::jthread> writers;
    for (unsigned writer = 0; writer < k_writers; ++writer) {
      writers.emplace_back([&, writer](const std::stop_token& stop) {
        Random random(writer);
        for (; !stop.stop_requested(); ++puts) {
          const larder::Key key("fit", random.below(100'000));
          tier.put(key, draw_entry(random));
        }
      });
    }
    start = now_ns();
    const auto begin = std::chrono::steady_clock::now();
    for (auto next = begin; next < begin + duration; next += std::chrono::milliseconds(1)) {
      std::this_thread::sleep_until(next);
      most = std::max(most, tier.usage().bytes);
      ++samples;
    }
    end = now_ns();
  }
  tier.check();
  const double seconds = static_cast<double>(end - start) / 1e9;
  constexpr double k_mib = 1 << 20;
  return {static_cast<double>(most) / k_mib, most > k_limit ? static_cast<double>(most - k_limit) / k_mib : 0,
          static_cast<double>(samples) / seconds, static_cast<double>(puts) / seconds};
}

}  // namespace

void limit(Bench& bench) {
  const std::string name = "limit/64 writers";
  if (!bench.wants(name)) return;
  const std::chrono::milliseconds duration(bench.options().quick ? 200 : 5'000);
  bench.race_side_by_side(
      name, "puts of 1 KiB to 64 MiB into a tier of 1024 MiB for " + std::to_string(duration.count()) + " ms",
      {{"most MiB used"}, {"MiB over limit"}, {"looks/s", Better::higher}, {"puts/s", Better::higher}},
      {{"larder tier", true, [duration] { return put_and_look(duration); }}}, {},
      {0, std::min(bench.options().repetitions, 3)});
}

}  // namespace bench
