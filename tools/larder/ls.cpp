// `larder ls`: the entries.
#include <fnmatch.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "raw.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct LsOptions {
  std::string glob;
  std::string sort = "created";
  std::optional<std::size_t> limit;
};

bool matches(const std::string& glob, const Key& key) {
  const auto is = [&](const std::string& text) { return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0; };
  return glob.empty() || is(key.name()) || is(key.short_text()) || is(key.text());
}

// Largest and newest first; keys in the order of the alphabet.
bool before(const std::string& sort, const EntryInfo& a, const EntryInfo& b) {
  if (sort == "cost" && a.cost != b.cost) return a.cost > b.cost;
  if (sort == "size" && value_bytes(a) != value_bytes(b)) return value_bytes(a) > value_bytes(b);
  if (sort == "created" && a.created != b.created) return a.created > b.created;
  return a.key.text() < b.key.text();
}

std::string table(const std::vector<EntryInfo>& entries) {
  std::vector<std::array<std::string, 8>> rows = {
      {"KEY", "SIZE", "COMPRESSED", "COST", "CREATED", "EXPIRES", "TYPE", "TEXT"}};
  for (const EntryInfo& entry : entries) {
    rows.push_back({short_name(entry.key), format_size(value_bytes(entry)),
                    entry.compressed_bytes ? format_size(*entry.compressed_bytes) : "-", format_duration(entry.cost),
                    ago(entry.created), entry.expires ? timestamp(*entry.expires) : "never", printable(entry.type),
                    printable(entry.key.text())});
  }
  std::array<std::size_t, 8> width{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) text += fmt::format("{:<{}}  ", row[i], width[i]);
    text += row.back() + "\n";
  }
  return text;
}

int run(const Globals& globals, const LsOptions& options) {
  std::optional<Cache> cache = open_existing(globals);
  std::vector<EntryInfo> entries;
  if (cache) entries = cache->entries();
  std::erase_if(entries, [&](const EntryInfo& entry) { return !matches(options.glob, entry.key); });
  std::ranges::sort(entries, [&](const EntryInfo& a, const EntryInfo& b) { return before(options.sort, a, b); });
  if (options.limit && *options.limit < entries.size()) {
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(*options.limit), entries.end());
  }
  if (globals.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const EntryInfo& entry : entries) list.push_back(entry_json(entry));
    print_json(list);
  } else if (!entries.empty()) {
    print(table(entries));
  }
  return 0;
}

}  // namespace

const Verb k_ls = {"ls", "[OPTION]... [GLOB]", "List the entries",
                   "GLOB is matched with the name, with name#1234abcd and with the text of each key. Where nothing was "
                   "stored yet the\n"
                   "list is empty, and that is no failure.\n\n"
                   "Example:\n  larder ls --sort cost --limit 10 'exec*'",
                   [](CLI::App& verb) -> Action {
                     auto options = std::make_shared<LsOptions>();
                     verb.add_option("GLOB", options->glob, "list only what matches");
                     verb.add_option("--sort", options->sort, "cost, size, created or key")
                         ->check(CLI::IsMember({"cost", "size", "created", "key"}));
                     verb.add_option("--limit", options->limit, "list at most so many")->check(whole_number(1));
                     return [options](const Globals& globals) { return run(globals, *options); };
                   }};

}  // namespace larder::tool
