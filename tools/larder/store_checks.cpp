// What `larder doctor` finds out about a store that can be opened.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "checks.hpp"
#include "store_path.hpp"

namespace larder::tool {
namespace {

constexpr auto k_clock_slack = std::chrono::minutes(1);

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

Check check_index(const Stats& stats, const store::Survey& survey) {
  const std::string load =
      fmt::format("{:.0f} % of {} slots are taken{}", percent(survey.slots_taken, survey.slots), survey.slots,
                  survey.slots < survey.slots_max ? fmt::format(", it may grow to {}", survey.slots_max) : "");
  if (const std::uint64_t forgotten = stats[Counter::index_evicted]; forgotten > 0) {
    return {
        State::warn, "index",
        fmt::format("forgotten because the index was full: {}; {}", counted(forgotten, "entry", "entries"), load),
        "open the store with a larger limit (Options::store): when the machine restarts the index may grow further"};
  }
  return {State::ok, "index", fmt::format("no entry was forgotten for want of room in it; {}", load), ""};
}

// Full is no fault: then it is made anew without what hides nothing any more.
Check check_journal(const store::Survey& survey) {
  return {State::ok, "journal",
          fmt::format("{:.0f} % of {} places are taken; it makes room by itself",
                      percent(survey.journal_taken, survey.journal_places), survey.journal_places),
          ""};
}

// How often a byte is written until it is given up: reclaiming writes what is worth keeping once more.
Check check_writing(const Stats& stats) {
  constexpr double k_much = 2;
  const double amplification = stats.write_amplification();
  const std::string what = fmt::format("{:.2f} bytes are written for each byte that is put", amplification);
  if (amplification <= k_much) return {State::ok, "writing", what, ""};
  return {State::warn, "writing", what,
          "open the store with a larger limit (Options::store): what is worth keeping is then written less often"};
}

Check check_locks(const Globals& globals, const store::Survey& survey) {
  if (survey.lock_files_missing != 0) {
    return {State::warn, "locks",
            fmt::format("{} missing: somebody deletes files in the store",
                        survey.lock_files_missing == 1 ? "1 lock file is"
                                                       : fmt::format("{} lock files are", survey.lock_files_missing)),
            fmt::format("keep cleaners of temporary directories away from {}, then end the programs that use it and "
                        "start them again",
                        store_path(globals).string())};
  }
  return {State::ok, "locks", "all lock files are there", ""};
}

Check check_strays(const Globals& globals, const store::Survey& survey) {
  if (survey.strays.empty()) return {State::ok, "files", "all files belong to the store", ""};
  const std::string more = survey.strays.size() == 1 ? "" : fmt::format(" and {} more", survey.strays.size() - 1);
  return {State::warn, "files",
          fmt::format("{}{} no file of the store", survey.strays[0] + more, survey.strays.size() == 1 ? " is" : " are"),
          next_command(globals, "verify --repair")};
}

// Who keeps room from coming back.
Check check_held(const store::Holders& holders, const Stats& stats) {
  const std::string who = holders.list.empty() ? "no program holds values" : store::describe(holders);
  const std::string more =
      "let these programs destroy their handles, or end them; or open the store with a larger "
      "limit (Options::store)";
  constexpr std::uint64_t k_part = 8;  // of the limit: so much may wait to come back before puts are refused
  if (holders.gone > stats.store_limit / k_part) return {State::warn, "values held", who, more};
  if (const std::uint64_t refused = stats[Counter::not_stored_no_room]; refused != 0) {
    return {State::warn, "values held",
            fmt::format("{} found no room beside those that programs held; now {}", counted(refused, "value", "values"),
                        who),
            holders.list.empty() ? "open the store with a larger limit (Options::store)" : more};
  }
  return {State::ok, "values held", who, ""};
}

// Values that were made later than now live longer than they should, if they have a TTL.
Check check_clock(Cache& cache) {
  const auto now = std::chrono::system_clock::now();
  std::uint64_t count = 0;
  auto newest = now;
  for (const EntryInfo& entry : cache.entries()) {
    if (entry.created <= now + k_clock_slack) continue;
    ++count;
    newest = std::max(newest, entry.created);
  }
  if (count == 0) return {State::ok, "clock", "no entry is from the future", ""};
  return {State::warn, "clock",
          fmt::format("{} from the future, the newest of {}: the clock went back",
                      counted(count, "entry is", "entries are"), timestamp(newest)),
          "set the clock (timedatectl); larder rm removes entries that are to live no longer"};
}

// What lies beside the store's own directory, made by another release.
std::string others_beside(const std::filesystem::path& directory) {
  std::string names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (is_format(name) && name != "v1") names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

Check check_damage(const Globals& globals, const Stats& stats) {
  const std::uint64_t damaged = stats[Counter::fault_damaged_record] + stats[Counter::fault_damaged_file];
  if (damaged > 0) {
    return {State::warn, "store", fmt::format("{} damaged records or files were met since it was made", damaged),
            next_command(globals, "verify")};
  }
  const std::string others = others_beside(store_path(globals));
  return {State::ok, "store",
          fmt::format("format 1, {} segments, index made {} times after a restart or damage{}", stats.store_segments,
                      stats[Counter::rebuilt],
                      others.empty() ? "" : fmt::format("; {} beside it is another larder's, and left alone", others)),
          ""};
}

}  // namespace

StoreLook look_at_store(const std::filesystem::path& directory) {
  return {store::holders(directory), store::survey(directory)};
}

std::vector<Check> check_store(const Globals& globals, const StoreLook& look, Cache& cache, const Stats& stats) {
  std::vector<Check> checks = {check_damage(globals, stats)};
  if (look.survey) {
    checks.push_back(check_index(stats, *look.survey));
    checks.push_back(check_journal(*look.survey));
    checks.push_back(check_writing(stats));
    checks.push_back(check_locks(globals, *look.survey));
    checks.push_back(check_strays(globals, *look.survey));
  }
  if (look.holders) checks.push_back(check_held(*look.holders, stats));
  checks.push_back(check_clock(cache));
  return checks;
}

}  // namespace larder::tool
