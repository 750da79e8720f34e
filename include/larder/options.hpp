// How a cache is opened. Every field has a default that suits most programs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <larder/compression.hpp>
#include <larder/stats.hpp>
#include <larder/units.hpp>

namespace larder {

enum class WriteMode : std::uint8_t {
  back,     // publish to the store from a bounded queue; only that an older value is gone is waited for (Durability)
  through,  // publish to the store before the call returns
};

// When a value that is handed out as a mapped view (more than 16 KiB) is checked against its checksums; smaller ones
// are copied out and checked on every hit. Damage after the check is found by `larder verify`, and is a miss from then
// on.
enum class Verification : std::uint8_t {
  boot,     // the first time any process uses it after the machine started, unless it was written since
  process,  // the first time this process uses it
  always,   // on every hit
};

// When what makes an older value disappear (a removal, an overwrite, an invalidation, a clear) is on disk, so that a
// loss of power cannot bring the older value back. Values themselves are never waited for: the power may take the
// newest.
enum class Durability : std::uint8_t {
  synced,   // before the call returns: a millisecond or a few, where there was a fresh older value
  relaxed,  // when the system gets to it: the power may take the last half minute
};

// Something that a person should hear of: the store went out of use, a record was damaged.
struct Event {
  Counter reason;    // what was counted
  std::string text;  // one line, naming the file
};

struct Options {
  // --- what the cache does ---

  // The store's directory, made if it is missing. Empty: default_directory().
  std::filesystem::path directory = {};

  // Limit of the store on disk, everything included; a percentage is of the file system. `0`: memory
  // only. Unset: what the store was made with, and 10 GiB for a new one. Set to something else than an
  // existing store has, it becomes that store's limit for every process.
  std::optional<Size> store = std::nullopt;

  // Who may use the store. Empty: the user who made it, alone. "group:NAME": every member of that Unix group, who may
  // read and change all that is in it, and is trusted with that. A store is what it was made as: where it is private
  // and this says otherwise, or the other way round, it is not used (see Stats::degraded), and nothing is changed.
  // Where `directory` is empty, too: default_shared().
  std::string shared = {};

  // Limit of this process's memory tier; a percentage is of the machine's memory. `0`: no memory tier.
  Size memory = "512MiB";

  // Limit by count, in addition.
  std::optional<std::uint64_t> memory_entries = std::nullopt;

  WriteMode write = WriteMode::back;
  Verification verification = Verification::boot;
  Durability durability = Durability::synced;

  // How values are kept in the store; EntryOptions::compression overrides it. Memory holds values as they are.
  Compression compression = Compression::none;

  // --- how fast it does it ---

  // Bytes that may wait for being written back; what does not fit is not stored (and counted).
  Size queue = "256MiB";

  // Called for events, from any thread, outside every lock. Must not throw; may use the cache.
  std::function<void(const Event&)> on_event = {};

  // --- for tests ---

  // What is read instead of the system's clock for when entries were made and when their time is over: milliseconds
  // since 1970, UTC. Called from any thread, also under locks of the cache: must be quick, must neither throw nor use
  // the cache. Processes that share a store are to have the same time.
  std::function<std::int64_t()> clock = {};
};

// $LARDER_DIR, else $XDG_CACHE_HOME/larder/default, else ~/.cache/larder/default. Empty if there is no home
// directory either: Cache::open then fails if it is to have a store.
LARDER_API std::filesystem::path default_directory();

// $LARDER_SHARED, or empty: who may use the store in default_directory().
LARDER_API std::string default_shared();

}  // namespace larder
