// `larder verify`: read every entry and check every byte of it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

// A type that no entry has: asking for it makes the store check a record, and ends in a mismatch once it is sound.
struct Nothing {};

}  // namespace
}  // namespace larder::tool

template <>
struct larder::Codec<larder::tool::Nothing> {
  static std::string type_name() { return "larder.nothing"; }
  static void encode(const tool::Nothing&, Encoder&) {}
  static tool::Nothing decode(Decoder&) { return {}; }
};

namespace larder::tool {
namespace {

struct VerifyOptions {
  bool progress = false;
};

enum class Verdict { sound, damaged, gone };

Verdict verify(Cache& cache, const Key& key) {
  const std::uint64_t damaged_before = cache.stats()[Counter::miss_damaged];
  try {
    (void)cache.get<Nothing>(key);
  } catch (const Error& error) {
    if (error.code() == Errc::type_mismatch) return Verdict::sound;
    throw;
  }
  return cache.stats()[Counter::miss_damaged] > damaged_before ? Verdict::damaged : Verdict::gone;
}

std::uint64_t faults(const Cache& cache) {
  const Stats stats = cache.stats();
  return stats[Counter::fault_damaged_record] + stats[Counter::fault_damaged_file];
}

int run(const Globals& globals, const VerifyOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Cache cache = open_existing(globals, Verification::always, [](const Event& event) { warn(event.text); });
  // Records whose key cannot be read any more have no entry: the walk counts them.
  const std::vector<EntryInfo> entries = cache.entries();
  std::uint64_t damaged = faults(cache);
  std::uint64_t bytes = 0;
  nlohmann::json keys = nlohmann::json::array();
  Progress progress(globals, options.progress);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (verify(cache, entries[i].key) == Verdict::damaged) {
      ++damaged;
      keys.push_back(entries[i].key.short_text());
    }
    bytes += entries[i].bytes;
    progress.update(i + 1, entries.size(), bytes);
  }
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
  if (globals.json) {
    print_json({{"entries", entries.size()},
                {"bytes", bytes},
                {"damaged", damaged},
                {"damaged_keys", keys},
                {"elapsed_ns", took.count()}});
  } else {
    print(fmt::format("{} entries checked, {} in {}: {} damaged\n", entries.size(), format_size(bytes),
                      format_duration(took), damaged));
    for (const nlohmann::json& key : keys) print(printable(key.get<std::string>()) + "\n");
  }
  return static_cast<int>(damaged == 0 ? Exit::ok : Exit::warnings);
}

}  // namespace

const Verb k_verify = {"verify", "Check every record of the store",
                       "Ends with 4 if something is damaged. What is damaged is never returned: it is a miss, and is\n"
                       "computed again when it is asked for next.\n\n"
                       "Example:\n  larder verify --progress",
                       [](CLI::App& verb) -> Action {
                         auto options = std::make_shared<VerifyOptions>();
                         verb.add_flag("--progress", options->progress,
                                       "tell on standard error, in JSON lines, how far it is");
                         return [options](const Globals& globals) { return run(globals, *options); };
                       }};

}  // namespace larder::tool
