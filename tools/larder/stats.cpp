// `larder stats`: what the store holds, what all processes asked of it, and what that saved.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct Fault {
  Counter counter;
  const char* text;
};
constexpr Fault k_faults[] = {
    {Counter::fault_no_space, "disk full"},
    {Counter::fault_io, "I/O error"},
    {Counter::fault_permission, "permission denied"},
    {Counter::fault_damaged_record, "damaged record"},
    {Counter::fault_damaged_file, "damaged file"},
    {Counter::fault_codec, "codec failed"},
    {Counter::fault_other, "other"},
};

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

nlohmann::json flat(const Stats& stats, const std::string& directory, std::uint64_t entries) {
  nlohmann::json json = {{"directory", directory},
                         {"store_bytes", stats.store_bytes},
                         {"store_limit", stats.store_limit},
                         {"store_segments", stats.store_segments},
                         {"entries", entries},
                         {"lookups", stats.lookups()},
                         {"hits", stats.hits()},
                         {"misses", stats.misses()},
                         {"hit_ratio", stats.hit_ratio()}};
  for (std::size_t i = 0; i < k_counters; ++i)
    json[std::string(counter_name(static_cast<Counter>(i)))] = stats.counters[i];
  return json;
}

std::string text(const Stats& stats, const std::string& directory, std::uint64_t entries) {
  std::string result;
  const auto line = [&](const char* name, const std::string& value) {
    result += fmt::format("{:<9} {}\n", name, value);
  };
  line("Store", fmt::format("{}: {} of {} ({:.1f} %), {} entries in {} segments", directory,
                            format_size(stats.store_bytes), format_size(stats.store_limit),
                            percent(stats.store_bytes, stats.store_limit), entries, stats.store_segments));
  line("Lookups", fmt::format("{}: {} hits ({:.1f} %), {} misses, {} waited for another's computation", stats.lookups(),
                              stats.hits(), 100 * stats.hit_ratio(), stats.misses(), stats[Counter::coalesced]));
  line("Hits", fmt::format("memory {} · store {}", stats[Counter::memory_hit], stats[Counter::store_hit]));
  line("Misses",
       fmt::format("absent {} · expired {} · damaged {} · degraded {}", stats[Counter::miss_absent],
                   stats[Counter::miss_expired], stats[Counter::miss_damaged], stats[Counter::miss_degraded]));
  line("Computed", fmt::format("{} in {}, {} failed", stats[Counter::computation], format_duration(stats.computed()),
                               stats[Counter::computation_failed]));
  line("Saved", fmt::format("{} of computing", format_duration(stats.saved())));
  std::string faults;
  for (const Fault& fault : k_faults) {
    if (stats[fault.counter] == 0) continue;
    faults += fmt::format("{}{} {}", faults.empty() ? "" : " · ", fault.text, stats[fault.counter]);
  }
  if (!faults.empty()) line("Faults", faults);
  return result;
}

int run(const Globals& globals) {
  Cache cache = open_existing(globals);
  const std::string directory = cache.directory().string();
  const std::uint64_t entries = cache.entries().size();
  const Stats stats = cache.shared_stats();
  if (globals.json) {
    print_json(flat(stats, directory, entries));
  } else {
    print(text(stats, directory, entries));
  }
  return 0;
}

}  // namespace

const Verb k_stats = {"stats", "Show what the store holds and what that saved",
                      "All processes that share the store are counted, since it was made.\n\n"
                      "Example:\n  larder stats --json | jq .saved_ns",
                      [](CLI::App&) -> Action { return run; }};

}  // namespace larder::tool
