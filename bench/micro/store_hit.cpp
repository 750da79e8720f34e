// A hit in the store on a value that another process wrote: from a key to bytes that can be used.
//
// A child process fills each store and ends; this process opens it, reads everything once (the round that does not
// count), and then looks keys up at random. Batches give ns per lookup; a second pass times single lookups for p50
// and p99. Each lookup reads the first bytes of what it got and compares them with what was stored.
#include <algorithm>
#include <memory>

#include "harness/timing.hpp"
#include "micro/micro.hpp"
#include "peers/uses.hpp"

namespace bench {
namespace {

template <class P>
std::vector<double> time_lookups(P& peer, How how, const std::vector<Lookup>& lookups, std::uint64_t bytes) {
  const OperationTimes times =
      time_operations(lookups.size(), 10'000, [&](std::size_t i) { look(peer, how, lookups[i], bytes); });
  return {times.ns, times.p50_ns, times.p99_ns};
}

template <class P>
std::vector<double> time_full_reads(P& peer, How how, const std::vector<Lookup>& lookups) {
  const std::size_t count = std::min<std::size_t>(lookups.size(), 200);
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < count; ++i) {
    peer.get(lookups[i].key, how, [](Bytes value) { keep(sum_of_words(value)); });
  }
  return {static_cast<double>(now_ns() - start) / static_cast<double>(count)};
}

void store_hit(Bench& bench, const SizeClass& size) {
  const std::string experiment = "store_hit/" + std::string(size.name);
  const std::string experiment_full = experiment + "/every byte";
  const bool full = size.bytes >= 1'000'000 && bench.wants(experiment_full);
  if (!bench.wants(experiment) && !full) return;

  const Scratch scratch(bench.directory() / "store_hit");
  std::vector<Contender> contenders;
  std::vector<Contender> contenders_full;
  for_each_peer([&]<class P>(std::type_identity<P>) {
    const std::filesystem::path directory = scratch.path() / P::k_name;
    Setup setup{size.bytes, size.records};
    if constexpr (std::is_same_v<P, Files>) setup.records = std::min(setup.records, Files::k_records_max);
    const auto lookups =
        std::make_shared<const std::vector<Lookup>>(make_lookups(Spread::uniform, setup.records, size.lookups));
    Child(fill_role(P::k_name, directory, setup)).join();
    const auto peer = std::make_shared<P>(directory, setup);
    for (std::uint64_t i = 0; i < setup.records; ++i) look(*peer, How::copy, {Key(i), i}, size.bytes);
    for (const Access& access : P::accesses()) {
      const How how = access.how;
      contenders.push_back(
          {access.label, is_larder<P>, [=] { return time_lookups(*peer, how, *lookups, size.bytes); }});
      contenders_full.push_back({access.label, is_larder<P>, [=] { return time_full_reads(*peer, how, *lookups); }});
    }
  });
  const std::string ran = std::to_string(size.records) + " records of " + std::to_string(size.bytes) +
                          " bytes written by another process, uniform lookups, warm";
  if (bench.wants(experiment)) {
    bench.race(experiment, ran + "; " + std::to_string(size.lookups) + " a repetition",
               {{"ns/lookup"}, {"p50 ns"}, {"p99 ns"}}, contenders);
  }
  if (full) bench.race(experiment_full, ran + "; every byte of the value is read", {{"ns/lookup"}}, contenders_full);
}

}  // namespace

void store_hit(Bench& bench) {
  for (const SizeClass& size : size_classes(bench.options())) store_hit(bench, size);
}

}  // namespace bench
