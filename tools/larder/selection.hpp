// Finding the entry that a KEY on the command line means.
//
// A KEY is the text of a key, as `larder put` takes it. Where no such entry exists, `name#1234abcd`, as
// `larder ls` prints it, selects the entry with that name whose fingerprint begins with those digits (at least 4).
#pragma once

#include <string>

#include <larder/cache.hpp>

#include "output.hpp"

namespace larder::tool {

// The key that `text` means. Throws Failure(usage), naming the candidates, if it means several.
[[nodiscard]] std::optional<Key> find_key(Cache& cache, const std::string& text);
// As find_key, but throws Failure(not_found).
[[nodiscard]] Key require_key(Cache& cache, const std::string& text);
[[nodiscard]] Failure not_found(const std::string& text);

// The listing's line of `key`, if it is there.
[[nodiscard]] std::optional<EntryInfo> find_entry(Cache& cache, const Key& key);

}  // namespace larder::tool
