// How the tool talks: data on standard output, talk on standard error, `--json` instead of text.
//
// Every verb prints through these functions, so that errors, colors, progress and characters that a
// terminal would act on are handled in one place. Colors appear on a terminal only, and not with
// NO_COLOR or TERM=dumb.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <larder/entry.hpp>
#include <larder/result.hpp>

namespace larder::tool {

// Documented in docs/guide/tool.md and in `larder --help`: only ever append.
enum class Exit : int {
  ok = 0,
  failed = 1,
  usage = 2,
  not_found = 3,
  warnings = 4,
  no_store = 5,
  busy = 6,
  permission = 7,
  no_space = 8,
  cache_required = 125,
  not_executable = 126,
  command_not_found = 127,
  interrupted = 130,
};
[[nodiscard]] Exit exit_of(Errc code);

// The end of a verb that could not do what it was asked to. `help` is the cure: the next command where there is one.
struct Failure {
  Exit exit;
  std::string what;
  std::string help;
};
[[nodiscard]] Failure failure_of(const Error& error);

// What every verb is told.
struct Globals {
  std::string directory;  // --dir, or empty
  std::string shared;     // --shared, or empty
  bool json = false;
  bool quiet = false;
  std::vector<std::string> command;  // what stands behind `--`, for `exec`
};

// "larder ls", with the --dir that was given: a cure has to reach the same store.
[[nodiscard]] std::string next_command(const Globals& globals, std::string_view words);

// "1 entry", "2 entries".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one, std::string_view several);

// Writes all of `bytes` to standard output. Throws Failure if that is not possible (a full disk).
void print(std::string_view bytes);
void print_json(const nlohmann::json& json);

// Bytes on standard error, as they are: what a replayed command said.
void write_error(std::string_view bytes);
// One JSON line on standard error.
void say_json(const nlohmann::json& json);
// One line on standard error, not with -q.
void say(const Globals& globals, std::string_view line);
// `larder: warning: …`, always.
void warn(std::string_view what);
// `larder: error: …` and `  help: …`; with --json one JSON object.
void print_failure(const Failure& failure, bool json);

[[nodiscard]] bool error_is_terminal();

// `text` with control characters written as \xNN: names come from whoever filled the store.
[[nodiscard]] std::string printable(std::string_view text);
// "4 min": how long ago, in one unit.
[[nodiscard]] std::string ago(std::chrono::system_clock::time_point then);
// "2026-11-20T10:17:37.250Z".
[[nodiscard]] std::string timestamp(std::chrono::system_clock::time_point time);
// "exec#9f3c21d0", printable: as the verbs take it.
[[nodiscard]] std::string short_name(const Key& key);
[[nodiscard]] std::string hex(std::span<const std::byte> bytes);
// What --json says of an entry.
[[nodiscard]] nlohmann::json entry_json(const EntryInfo& entry);

// Tells how far a long verb is: one line that is redrawn on a terminal, JSON lines with `lines`, else nothing.
// Not thread-safe.
class Progress {
 public:
  Progress(const Globals& globals, bool lines);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::uint64_t bytes_done, std::uint64_t bytes_all);

 private:
  bool lines_;
  bool redraw_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

template <class T>
struct Timed {
  T result;
  std::chrono::nanoseconds took;
};
// What long work came to, which is told how to say how far it is, as work(update). Throws Failure if it failed.
template <class Work>
auto with_progress(const Globals& globals, bool lines, const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  auto result = [&] {
    Progress progress(globals, lines);
    return work([&](std::uint64_t done, std::uint64_t all) { progress.update(done, all); });
  }();
  if (!result) throw failure_of(result.error());
  return Timed{*std::move(result), std::chrono::steady_clock::now() - start};
}

}  // namespace larder::tool
