// `larder verify`: read every record of the store and check every byte of it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/upkeep.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct VerifyOptions {
  bool progress = false;
  bool repair = false;
};

// What both forms of the verb say of an inspection.
std::string summary(const store::Verified& verified, std::chrono::nanoseconds took) {
  std::string text = fmt::format("{} checked, {} in {}: {} damaged", counted(verified.records, "record", "records"),
                                 format_size(verified.bytes), format_duration(took), verified.damaged_records);
  const std::uint64_t others = verified.damaged.size() - verified.damaged_records;
  if (others != 0) text += fmt::format(", and damage in {}", counted(others, "other place", "other places"));
  text += "\n";
  for (const store::Damage& damage : verified.damaged) {
    text += fmt::format("{}:{}: {}", damage.file, damage.offset, damage.what);
    text += damage.key.empty() ? "\n" : fmt::format(" ({})\n", printable(damage.key));
  }
  if (verified.harmless != 0) {
    text += fmt::format("Harmless  {} of old records, which nothing leads to any more\n",
                        counted(verified.harmless, "damaged place", "damaged places"));
  }
  return text;
}

nlohmann::json summary_json(const store::Verified& verified, std::chrono::nanoseconds took) {
  nlohmann::json damaged = nlohmann::json::array();
  for (const store::Damage& damage : verified.damaged) {
    damaged.push_back({{"file", damage.file}, {"offset", damage.offset}, {"what", damage.what}, {"key", damage.key}});
  }
  return {{"records", verified.records}, {"bytes", verified.bytes},       {"segments", verified.segments.size()},
          {"damaged", damaged},          {"harmless", verified.harmless}, {"unmarked", verified.unmarked},
          {"elapsed_ns", took.count()}};
}

int inspect(const Globals& globals, const VerifyOptions& options, const std::filesystem::path& directory) {
  const auto [verified, took] =
      with_progress(globals, options.progress, [&](const auto& update) { return store::verify(directory, update); });
  if (globals.json) {
    print_json(summary_json(verified, took));
  } else {
    print(summary(verified, took));
  }
  if (!verified.unmarked.empty()) {
    warn("what is damaged could not be marked, so programs may go on reading it until the machine restarts: " +
         verified.unmarked);
  }
  if (verified.damaged.empty()) return static_cast<int>(Exit::ok);
  if (!globals.json) say(globals, fmt::format("next: {}", next_command(globals, "verify --repair")));
  return static_cast<int>(Exit::warnings);
}

std::string repaired_text(const store::Repaired& repaired) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("{:<9} {}\n", name, value); };
  if (repaired.sound()) line("Repaired", "nothing: the store is sound");
  if (repaired.begun_anew) {
    line("Lost", "all entries: the file that lists them was damaged, so the store was begun anew");
  }
  for (const std::string& key : repaired.lost) line("Lost", printable(key));
  if (repaired.lost_unnamed != 0) {
    line("Lost",
         fmt::format("{} whose keys cannot be read any more", counted(repaired.lost_unnamed, "entry", "entries")));
  }
  if (repaired.astray != 0) {
    line("Cleared", fmt::format("{} of the index that led nowhere", counted(repaired.astray, "slot", "slots")));
  }
  if (repaired.unreachable != 0) {
    line("Given up", fmt::format("{} that the index had lost, so that no restart brings back what was removed since",
                                 counted(repaired.unreachable, "record", "records")));
  }
  if (repaired.rebuilt) line("Made anew", "the table of segments and the index, from the segments");
  if (repaired.journal_renewed) line("Made anew", "the journal, from what the index says; nothing is lost by that");
  if (repaired.segments_freed != 0) {
    line("Freed",
         fmt::format("{} in which nothing was left ({})", counted(repaired.segments_freed, "segment", "segments"),
                     format_size(repaired.bytes_freed)));
  }
  for (const std::string& file : repaired.deleted) line("Deleted", fmt::format("{}, which belonged to nothing", file));
  if (!repaired.lost.empty() || repaired.lost_unnamed != 0) {
    line("Next", "nothing: what was lost is computed, or has to be put, again; everything else was kept");
  }
  for (const std::string& left : repaired.left) line("Left", printable(left));
  return text;
}

int repair(const Globals& globals, const VerifyOptions& options, const std::filesystem::path& directory) {
  const auto [repaired, took] =
      with_progress(globals, options.progress, [&](const auto& update) { return store::repair(directory, update); });
  if (globals.json) {
    nlohmann::json json = summary_json(repaired.found, took);
    json["repaired"] = {{"begun_anew", repaired.begun_anew},
                        {"rebuilt", repaired.rebuilt},
                        {"journal_renewed", repaired.journal_renewed},
                        {"lost", repaired.lost},
                        {"lost_unnamed", repaired.lost_unnamed},
                        {"slots_cleared", repaired.astray},
                        {"records_given_up", repaired.unreachable},
                        {"segments_freed", repaired.segments_freed},
                        {"bytes_freed", repaired.bytes_freed},
                        {"deleted", repaired.deleted},
                        {"left", repaired.left}};
    print_json(json);
  } else {
    print(summary(repaired.found, took) + repaired_text(repaired));
  }
  return static_cast<int>(repaired.left.empty() ? Exit::ok : Exit::warnings);
}

int run(const Globals& globals, const VerifyOptions& options) {
  const std::filesystem::path directory = store_path(globals);
  if (!store_exists(directory)) throw no_store(directory, Exit::no_store);
  return options.repair ? repair(globals, options, directory) : inspect(globals, options, directory);
}

}  // namespace

const Verb k_verify = {
    "verify", "[OPTION]...", "Check every record of the store, and repair it",
    "Ends with 4 if something is damaged, with 5 if there is no store yet. What is damaged is marked, so that it is\n"
    "not returned from then on: it is a miss, and is computed again when it is asked for next. Where the store may\n"
    "only be read it is not marked.\n\n"
    "With --repair damaged entries are removed, and what only depends on them is made anew; what was lost, what was\n"
    "done and what is left to do is said. Nothing that is whole is removed, and no file that is not larder's. Ends\n"
    "with 4 if something is left to do. Both are safe beside programs that use the store.\n\n"
    "Example:\n  larder verify --progress\n  larder verify --repair",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<VerifyOptions>();
      verb.add_flag("--progress", options->progress, "tell on standard error, in JSON lines, how far it is");
      verb.add_flag("--repair", options->repair, "make good what can be made good, and say what was lost");
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
