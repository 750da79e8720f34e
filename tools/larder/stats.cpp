// `larder stats`: what the store holds, what all processes asked of it, and what that saved.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/inspect.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

// Who holds values; nobody if there is no store, or none that can be looked into: who opens it next says why.
store::Holders others_who_hold(const std::filesystem::path& directory) {
  Result<store::Holders> holders = store::holders(directory);
  return holders ? *std::move(holders) : store::Holders{};
}

struct Counted {
  Counter counter;
  const char* text;
};
constexpr Counted k_not_kept[] = {
    {Counter::not_stored_too_large, "too large"},
    {Counter::not_stored_no_room, "no room beside values in use"},
    {Counter::not_stored_queue_full, "queue full"},
    {Counter::not_stored_superseded, "changed meanwhile"},
};
constexpr Counted k_faults[] = {
    {Counter::fault_no_space, "disk full"},
    {Counter::fault_io, "I/O error"},
    {Counter::fault_permission, "permission denied"},
    {Counter::fault_damaged_record, "damaged record"},
    {Counter::fault_damaged_file, "damaged file"},
    {Counter::fault_codec, "codec failed"},
    {Counter::fault_other, "other"},
};

// "disk full 2 · other 1": those that are not zero.
std::string listed(const Stats& stats, std::span<const Counted> counters) {
  std::string result;
  for (const Counted& one : counters) {
    if (stats[one.counter] == 0) continue;
    result += fmt::format("{}{} {}", result.empty() ? "" : " · ", one.text, stats[one.counter]);
  }
  return result;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

nlohmann::json flat(const Stats& stats, const std::string& directory, std::uint64_t entries,
                    const store::Holders& holders) {
  nlohmann::json json = {{"directory", directory},
                         {"store_bytes", stats.store_bytes},
                         {"store_limit", stats.store_limit},
                         {"store_segments", stats.store_segments},
                         {"entries", entries},
                         {"holding_processes", holders.list.size()},
                         {"held_bytes", holders.bytes},
                         {"held_reclaimed_bytes", holders.gone},
                         {"lookups", stats.lookups()},
                         {"hits", stats.hits()},
                         {"misses", stats.misses()},
                         {"hit_ratio", stats.hit_ratio()},
                         {"write_amplification", stats.write_amplification()}};
  for (std::size_t i = 0; i < k_counters; ++i)
    json[std::string(counter_name(static_cast<Counter>(i)))] = stats.counters[i];
  return json;
}

std::string text(const Stats& stats, const std::string& directory, std::uint64_t entries,
                 const store::Holders& holders) {
  std::string result;
  const auto line = [&](const char* name, const std::string& value) {
    result += fmt::format("{:<9} {}\n", name, value);
  };
  line("Store",
       fmt::format("{}: {} of {} ({:.1f} %), {} in {}", directory, format_size(stats.store_bytes),
                   format_size(stats.store_limit), percent(stats.store_bytes, stats.store_limit),
                   counted(entries, "entry", "entries"), counted(stats.store_segments, "segment", "segments")));
  if (!holders.list.empty()) line("Held", printable(store::describe(holders)));
  line("Lookups", fmt::format("{}: {} hits ({:.1f} %), {} misses, {} waited for another's computation", stats.lookups(),
                              stats.hits(), 100 * stats.hit_ratio(), stats.misses(), stats[Counter::coalesced]));
  line("Hits", fmt::format("memory {} · store {}", stats[Counter::memory_hit], stats[Counter::store_hit]));
  if (stats[Counter::stale_hit] + stats[Counter::answered_on_error] + stats[Counter::refreshed] > 0) {
    line("Stale", fmt::format("answered {}, {} of failed computations; computed anew {}",
                              stats[Counter::stale_hit] + stats[Counter::answered_on_error],
                              stats[Counter::answered_on_error], stats[Counter::refreshed]));
  }
  if (stats[Counter::negative_hit] > 0) {
    line("Negative",
         fmt::format("{} said that there is no answer", counted(stats[Counter::negative_hit], "hit", "hits")));
  }
  line("Misses",
       fmt::format("absent {} · expired {} · invalidated {} · damaged {} · degraded {}", stats[Counter::miss_absent],
                   stats[Counter::miss_expired], stats[Counter::miss_invalidated], stats[Counter::miss_damaged],
                   stats[Counter::miss_degraded]));
  line("Computed", fmt::format("{} in {}, {} failed", stats[Counter::computation], format_duration(stats.computed()),
                               stats[Counter::computation_failed]));
  line("Saved", fmt::format("{} of computing", format_duration(stats.saved())));
  if (stats[Counter::compressed] > 0) {
    line("Smaller", fmt::format("{}, by {}: compressed", counted(stats[Counter::compressed], "value", "values"),
                                format_size(stats[Counter::compressed_saved_bytes])));
  }
  if (const std::string not_kept = listed(stats, k_not_kept); !not_kept.empty()) line("Not kept", not_kept);
  if (stats[Counter::reinserted] > 0) {
    line("Written",
         fmt::format("{:.2f} bytes for each byte put: {} worth keeping written again when their segments went",
                     stats.write_amplification(), counted(stats[Counter::reinserted], "record", "records")));
  }
  if (stats[Counter::index_evicted] > 0) {
    line("Forgotten", fmt::format("{}, because the index was full: larder doctor",
                                  counted(stats[Counter::index_evicted], "entry", "entries")));
  }
  if (const std::string faults = listed(stats, k_faults); !faults.empty()) line("Faults", faults);
  return result;
}

int run(const Globals& globals) {
  const store::Holders holders = others_who_hold(store_path(globals));  // before this process maps something itself
  std::optional<Cache> cache = open_existing(globals);
  const std::string directory = cache ? cache->directory().string() : store_path(globals).string();
  const std::uint64_t entries = cache ? cache->entries().size() : 0;
  const Stats stats = cache ? cache->shared_stats() : Stats{};
  if (globals.json) {
    print_json(flat(stats, directory, entries, holders));
  } else if (cache) {
    print(text(stats, directory, entries, holders));
  }
  return 0;
}

}  // namespace

const Verb k_stats = {
    "stats", "[OPTION]...", "Show what the store holds and what that saved",
    "All processes that share the store are counted, since it was made. Where nothing was stored yet, --json\n"
    "says 0 of everything.\n\n"
    "Example:\n  larder stats --json | jq .saved_ns",
    [](CLI::App&) -> Action { return run; }};

}  // namespace larder::tool
