// Where the store is, and opening it the way the tool does: no memory tier, writes that are done when the
// call returns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <larder/cache.hpp>

#include "output.hpp"

namespace larder::tool {

inline constexpr const char* k_other_directory = "name another directory with --dir or LARDER_DIR";

// --dir, else what the library would use. Throws Error if nothing names a directory.
[[nodiscard]] std::filesystem::path store_path(const Globals& globals);
// Whose it is: --shared, else what the library would use there.
[[nodiscard]] std::string store_shared(const Globals& globals);
// Whether there is a store, of whatever format. Throws Failure if that cannot be told.
[[nodiscard]] bool store_exists(const std::filesystem::path& directory);
// Whether a name is that of the directory that a store of some format has in its own.
[[nodiscard]] bool is_format(const std::string& name);
// What is said of a directory in which nothing has been stored yet.
[[nodiscard]] std::string no_store_yet(const std::filesystem::path& directory);

// Opens the store, making it if there is none. Fails too if the cache would work without its store.
[[nodiscard]] Result<Cache> open_store(const Globals& globals);
[[nodiscard]] Result<Cache> open_store(const std::filesystem::path& directory, const std::string& shared);
// Opens the store if there is one: verbs that ask a question make nothing. Nothing, having said so, if there is none.
// Throws Failure if it cannot be opened.
[[nodiscard]] std::optional<Cache> open_existing(const Globals& globals);
// For verbs that have no answer without a store: throws Failure(exit) if there is none.
[[nodiscard]] Cache require_existing(const Globals& globals, Exit exit);
[[nodiscard]] Failure no_store(const std::filesystem::path& directory, Exit exit);

// The most that is held in memory at once: it has to fit the store, and the machine must not notice.
[[nodiscard]] std::uint64_t value_bytes_max(const Cache& cache);

// Why a value beyond a store's limit is not kept.
[[nodiscard]] Error larger_than(std::uint64_t limit);
// Why the last value given to `cache` is not in its store, from its counters; the code is what the verb ends with.
[[nodiscard]] Error why_not_stored(const Cache& cache);

}  // namespace larder::tool
