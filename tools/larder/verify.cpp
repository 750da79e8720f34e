// `larder verify`: read every record of the store and check every byte of it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/inspect.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct VerifyOptions {
  bool progress = false;
};

int run(const Globals& globals, const VerifyOptions& options) {
  const std::filesystem::path directory = store_path(globals);
  if (!store_exists(directory)) throw no_store(directory, Exit::no_store);
  const auto start = std::chrono::steady_clock::now();
  Result<store::Verified> verified = [&] {
    Progress progress(globals, options.progress);
    return store::verify(directory, [&](std::uint64_t done, std::uint64_t all) { progress.update(done, all); });
  }();
  if (!verified) throw failure_of(verified.error());
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
  nlohmann::json damaged = nlohmann::json::array();
  std::string text = fmt::format("{} checked, {} in {}: {} damaged", counted(verified->records, "record", "records"),
                                 format_size(verified->bytes), format_duration(took), verified->damaged_records);
  const std::uint64_t others = verified->damaged.size() - verified->damaged_records;
  text += others == 0 ? "\n" : fmt::format(", and damage in {}\n", counted(others, "other place", "other places"));
  for (const store::Damage& damage : verified->damaged) {
    damaged.push_back({{"file", damage.file}, {"offset", damage.offset}, {"what", damage.what}, {"key", damage.key}});
    text += fmt::format("{}:{}: {}", damage.file, damage.offset, damage.what);
    text += damage.key.empty() ? "\n" : fmt::format(" ({})\n", printable(damage.key));
  }
  if (globals.json) {
    print_json({{"records", verified->records},
                {"bytes", verified->bytes},
                {"segments", verified->segments.size()},
                {"damaged", damaged},
                {"unmarked", verified->unmarked},
                {"elapsed_ns", took.count()}});
  } else {
    print(text);
  }
  if (!verified->unmarked.empty()) {
    warn("what is damaged could not be marked, so programs may go on reading it until the machine restarts: " +
         verified->unmarked);
  }
  return static_cast<int>(verified->damaged.empty() ? Exit::ok : Exit::warnings);
}

}  // namespace

const Verb k_verify = {
    "verify", "[OPTION]...", "Check every record of the store",
    "Ends with 4 if something is damaged, with 5 if there is no store yet. What is damaged is marked, so "
    "that it is not returned from\n"
    "then on: it is a miss, and is computed again when it is asked for next. Where the store may "
    "only be read it is not marked.\n\n"
    "Example:\n  larder verify --progress",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<VerifyOptions>();
      verb.add_flag("--progress", options->progress, "tell on standard error, in JSON lines, how far it is");
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
