// Finding the entry that a KEY on the command line means.
//
// A KEY is the text of a key, as `larder put` takes it. Where no such entry exists, `name#1234abcd`, as
// `larder ls` prints it, selects the entry with that name whose fingerprint begins with those digits (at least 4). The
// name may be the key's own or the printed one, in which long names are cut short and what does not print is escaped.
#pragma once

#include <string>

#include <larder/cache.hpp>

#include "output.hpp"

namespace larder::tool {

// The entry that `text` means. Throws Failure(usage), naming the candidates, if it means several.
[[nodiscard]] std::optional<EntryInfo> find_entry(Cache& cache, const std::string& text);
// As find_entry, but throws Failure(not_found).
[[nodiscard]] EntryInfo require_entry(const Globals& globals, Cache& cache, const std::string& text);
[[nodiscard]] Failure not_found(const Globals& globals, const std::string& text);

}  // namespace larder::tool
