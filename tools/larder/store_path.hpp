// Where the store is, and opening it the way the tool does: no memory tier, writes that are done when the
// call returns.
#pragma once

#include <filesystem>

#include <larder/cache.hpp>

#include "output.hpp"

namespace larder::tool {

// --dir, else what the library would use.
[[nodiscard]] std::filesystem::path store_path(const Globals& globals);
// Whether there is a store. Throws Failure if the directory may not be read.
[[nodiscard]] bool store_exists(const std::filesystem::path& directory);
// Throws Failure(no_store), with the next step, unless there is a store.
void require_store(const std::filesystem::path& directory);

// Opens the store; `on_event` is told of faults. Fails too if the cache would work without its store.
[[nodiscard]] Result<Cache> open_store(const std::filesystem::path& directory,
                                       Verification verification = Verification::boot,
                                       std::function<void(const Event&)> on_event = {});
// Opens a store that exists, or throws Failure: verbs that ask a question make nothing.
[[nodiscard]] Cache open_existing(const Globals& globals, Verification verification = Verification::boot,
                                  std::function<void(const Event&)> on_event = {});

// Why the last value given to `cache` is not in its store, from its counters; the code is what the verb ends with.
[[nodiscard]] Error why_not_stored(const Cache& cache);

}  // namespace larder::tool
