#include "replay.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>

#include "memory/memory.hpp"

namespace bench {
namespace {

using larder::Key;
using larder::codec::TraceRecord;

// A trace's costs are in no unit, and may be below 1: the tier's are whole nanoseconds.
constexpr double k_cost_unit_ns = 1e6;

struct alignas(64) Sums {
  std::uint64_t hits = 0;
  double bytes = 0;
  double bytes_hit = 0;
  double cost = 0;
  double cost_saved = 0;
};

}  // namespace

Ratios replay(const std::vector<TraceRecord>& requests, larder::policy::Make make, std::uint64_t capacity,
              larder::codec::CostModel model, unsigned threads) {
  larder::memory::MemoryTier tier({.bytes = capacity, .entry_overhead = 0}, make);
  const auto value = std::make_shared<const int>(0);
  std::atomic<std::size_t> next{0};
  std::vector<Sums> sums(threads);
  const auto work = [&](Sums& sum) {
    for (std::size_t i = next++; i < requests.size(); i = next++) {
      const TraceRecord& request = requests[i];
      const Key key("trace", request.key);
      const double cost = larder::codec::cost_of(request, model);
      sum.bytes += request.size;
      sum.cost += cost;
      if (tier.get(key, 0, larder::base::Clock()).value != nullptr) {
        ++sum.hits;
        sum.bytes_hit += request.size;
        sum.cost_saved += cost;
        continue;
      }
      larder::memory::Entry entry;
      entry.value = value;
      entry.weight = request.size;
      entry.cost_ns = static_cast<std::uint64_t>(std::llround(std::max(1.0, cost * k_cost_unit_ns)));
      tier.put(key, std::move(entry));
    }
  };
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 1; i < threads; ++i) workers.emplace_back([&, i] { work(sums[i]); });
    work(sums[0]);
  }
  tier.check();
  Sums all;
  for (const Sums& sum : sums) {
    all.hits += sum.hits;
    all.bytes += sum.bytes;
    all.bytes_hit += sum.bytes_hit;
    all.cost += sum.cost;
    all.cost_saved += sum.cost_saved;
  }
  return {static_cast<double>(all.hits) / static_cast<double>(requests.size()), all.bytes_hit / all.bytes,
          all.cost > 0 ? all.cost_saved / all.cost : 0};
}

}  // namespace bench
