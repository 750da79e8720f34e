// `larder compact`: give back the room of what nobody can ask for any more.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/upkeep.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct CompactOptions {
  bool progress = false;
};

int run(const Globals& globals, const CompactOptions& options) {
  const std::filesystem::path directory = store_path(globals);
  if (!store_exists(directory)) throw no_store(directory, Exit::no_store);
  const auto [compacted, took] =
      with_progress(globals, options.progress, [&](const auto& update) { return store::compact(directory, update); });
  const auto& [done, before, after, holders] = compacted;
  if (globals.json) {
    print_json({{"segments", done.segments},
                {"bytes_freed", done.bytes_freed},
                {"bytes_rewritten", done.bytes_rewritten},
                {"records_rewritten", done.records},
                {"store_bytes_before", before.bytes},
                {"store_bytes", after.bytes},
                {"held_reclaimed_bytes", holders.gone},
                {"elapsed_ns", took.count()}});
    return 0;
  }
  if (done.segments == 0) {
    print(fmt::format("Nothing to compact: of no segment a quarter or more is dead ({} of {} used)\n",
                      format_size(after.bytes), format_size(after.limit)));
    return 0;
  }
  print(fmt::format("Freed     {} of {} in {}: removed, replaced, expired or invalidated values were in them\n",
                    counted(done.segments, "segment", "segments"), format_size(done.bytes_freed),
                    format_duration(took)));
  print(fmt::format("Rewritten {} of {}: what was still good in them\n", counted(done.records, "record", "records"),
                    format_size(done.bytes_rewritten)));
  print(fmt::format("Store     {} before, {} now, of {}\n", format_size(before.bytes), format_size(after.bytes),
                    format_size(after.limit)));
  if (holders.gone != 0) {
    print(fmt::format("Held      {}; that room comes back when they let go\n", printable(store::describe(holders))));
  }
  return 0;
}

}  // namespace

const Verb k_compact = {
    "compact", "[OPTION]...", "Give back the room of removed, replaced and expired values",
    "A store does this by itself when it needs room; this does it now, beside programs that use the store. Segments\n"
    "of which a quarter or more is dead are freed, and what is still good in them is written once more. Ends with 5\n"
    "if there is no store yet.\n\n"
    "Example:\n  larder compact --progress",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<CompactOptions>();
      verb.add_flag("--progress", options->progress, "tell on standard error, in JSON lines, how far it is");
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
