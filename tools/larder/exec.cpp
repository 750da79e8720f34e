// `larder exec`: run a command once, replay what it did ever after.
//
// The cache is never in the way: whatever is wrong with it is one warning, and the command runs as if larder were
// not there, in our place. Once the command has run it is never run again, whatever happens to its result.
#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "child.hpp"
#include "output_files.hpp"
#include "recording.hpp"
#include "request.hpp"
#include "store_path.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

constexpr const char* k_words = "[OPTION]... -- COMMAND [ARG]...";
constexpr const char* k_example =
    R"(The result is found again by the words of the command, the working directory, the values of every --env, the
contents of every --file, and the names of every --out. Name what the command depends on: larder does not guess.
Standard input is empty, unless --stdin makes its content part of what is depended on. Standard output is replayed
before standard error. Not kept: what fails (see --store-failures), what a signal ended, what did not write its --out.

Like $(...) of a shell, it waits until everyone who holds the command's output has closed it. A daemon that the
command leaves behind is not waited for if its output goes elsewhere: daemon >/dev/null 2>&1 &

Ends as the command did, with 128 + the signal if one killed it. 125: --require-cache and no cache, 126: the command
cannot be run, 127: there is no such command. --json tells on one line of standard error what became of it.

Example:
  larder exec --file data.csv --out model.bin --ttl 7d -- ./train.py data.csv)";

struct ExecOptions {
  Request request;
  std::string ttl = "never";
  std::string compress;
  std::vector<std::string> misplaced;  // words before `--` that are no options
};

bool disabled() {
  const char* value = std::getenv("LARDER_DISABLE");
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

Failure start_failure(const Request& request, int code) {
  const std::string command = printable(request.command[0]);
  std::error_code ignored;
  const bool is_path = command.find('/') != std::string::npos;
  if (is_path && std::filesystem::is_directory(request.command[0], ignored)) {
    return {Exit::not_executable, command + " cannot be run: it is a directory", "name a file in it"};
  }
  if (code == ENOENT && is_path && std::filesystem::exists(request.command[0], ignored)) {
    return {Exit::not_executable, command + " cannot be run: its interpreter is not there",
            "correct its first line, or run it as: INTERPRETER " + command};
  }
  if (code == ENOENT) {
    return {Exit::command_not_found, command + ": command not found",
            "it is a file, by its path or in a directory of PATH; what a shell has built in is run by: sh -c '...'"};
  }
  return {Exit::not_executable, fmt::format("{} cannot be run: {}", command, std::strerror(code)),
          code == EACCES ? "chmod +x " + command : ""};
}

// The fingerprints of the results that our ancestors are computing: a command that asks for one of them would wait for
// itself.
constexpr const char* k_chain = "LARDER_EXEC_CHAIN";

std::string chain() {
  const char* value = std::getenv(k_chain);
  return value == nullptr ? "" : value;
}

// Returns only by throwing: either the command takes our place, or it cannot be started.
[[noreturn]] void run_uncached(const Request& request, const Input& input) {
  throw start_failure(request, become(request.command, input.descriptor()));
}

// One line about what is wrong with the cache, and what helps; with --json the event.
void warn_of(const Globals& globals, const char* event, const char* words, const Error& reason) {
  if (globals.json) return say_json({{"event", event}, {"reason", reason.what()}, {"help", reason.help()}});
  warn(fmt::format("{}: {}{}", words, reason.what(),
                   reason.help().empty() ? "" : fmt::format(" (help: {})", reason.help())));
}

// The cache is of no use: says why, and runs without.
[[noreturn]] void fail_open(const Globals& globals, const Request& request, const Input& input, const Error& reason) {
  if (request.require_cache) {
    throw Failure{Exit::cache_required, reason.what(),
                  fmt::format("{}{}without --require-cache the command runs uncached", reason.help(),
                              reason.help().empty() ? "" : "; ")};
  }
  warn_of(globals, "uncached", "running uncached", reason);
  run_uncached(request, input);
}

// Says once, to a terminal, that another process computes what we ask for: the wait may be as long as the command.
class WaitNotice {
 public:
  WaitNotice(const Globals& globals, const Cache& cache) {
    if (globals.quiet || globals.json || !error_is_terminal()) return;
    thread_ = std::jthread([&globals, &cache](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any stopped;
      std::unique_lock lock(mutex);
      do {
        stopped.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
        if (stop.stop_requested()) return;
      } while (cache.stats()[Counter::lease_waited] == 0);  // a large result may take a second to be read
      say(globals, "waiting for another process that runs the same command");
    });
  }

 private:
  std::jthread thread_;
};

// Tells what became of the command: on a terminal in words, with --json always and as one line.
void tell(const Globals& globals, const char* event, const Key& key, nlohmann::json more, const std::string& words) {
  if (globals.json) {
    more.update({{"event", event}, {"key", key.short_text()}, {"fingerprint", key.fingerprint().hex()}});
    say_json(more);
  } else if (error_is_terminal()) {
    say(globals, words);
  }
}

int replay(const Globals& globals, const Request& request, const Input& input, const Key& key,
           const Ref<ExecResult>& result) {
  // What is written is what was asked for, whatever the record says.
  const auto same = [](const std::string& path, const ExecResult::File& file) { return path == file.path; };
  if (!std::ranges::equal(request.outputs, result->files, same)) {
    fail_open(
        globals, request, input,
        Error(Errc::damaged, "the stored result is of other files", next_command(globals, "rm " + short_name(key))));
  }
  for (const ExecResult::File& file : result->files) {
    if (const auto done = restore(std::string(file.path), file.mode, file.bytes); !done) {
      fail_open(globals, request, input, done.error());
    }
  }
  print(result->standard_output);
  write_error(result->standard_error);
  const std::chrono::system_clock::time_point finished{std::chrono::milliseconds(result->finished_ms)};
  tell(globals, "hit", key,
       {{"cost_ns", result.cost().count()}, {"saved_ns", result.saved().count()}, {"stored", timestamp(finished)}},
       fmt::format("hit {} (stored {}), saved {}", short_name(key), ago(finished), format_duration(result.saved())));
  return result->status;
}

// Why a run's result is not kept, or empty. Throws Error if that is a fault, of which everybody has to hear.
std::string not_kept(const Request& request, const Input& input, const Key& key, const Ended& ended) {
  if (ended.lost) throw Error(Errc::io, "the system does not tell how the command ended");
  if (ended.interrupted) return "it was interrupted";
  if (ended.killed) return fmt::format("it was killed by signal {}", ended.status - 128);
  if (ended.output_refused) return "its output could not be handed on";
  if (ended.too_large) return "it wrote too much";
  if (ended.status != 0 && !request.store_failures) {
    return fmt::format("it failed with status {} (--store-failures keeps that too)", ended.status);
  }
  // An input that changed while the command ran: which content did it read?
  if (key_of(request, input.digest()) != key) return "a file that it depends on changed while it ran";
  return {};
}

std::string summary(const Ended& ended, const std::vector<OutputFiles::Recorded>& files) {
  std::string text;
  if (ended.output_bytes != 0) text += "; stdout " + format_size(ended.output_bytes);
  if (!ended.standard_error.empty()) text += "; stderr " + format_size(ended.standard_error.size());
  for (const auto& file : files) text += fmt::format("; {} {}", printable(file.path), format_size(file.bytes));
  return text;
}

// Dies of the signal that killed the command when we were both told to end: a shell that runs us in a loop goes on
// after an exit status, whatever it is, and stops after a signal.
void end_as(int signal, Cache& cache, Recording& recording) {
  recording.abandon();
  cache.flush();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// Runs the command and publishes what it did. From its start on, nothing that goes wrong changes its status or runs
// it again.
int record(const Globals& globals, const Request& request, const Input& input, Cache& cache, const Key& key,
           Claim<ExecResult>& claim) {
  const OutputFiles outputs(request.outputs);
  const std::uint64_t bytes_max = cache.stats().store_limit;
  Recording recording(claim.encoded_writer(
      Recording::k_front_bytes, {.ttl = request.ttl, .tags = request.tags, .compression = request.compression}));
  ::setenv(k_chain, (chain() + key.fingerprint().hex() + ":").c_str(), 1);
  const Ended ended = run_recorded(request.command, input.descriptor(), bytes_max, value_bytes_max(cache),
                                   [&](std::string_view bytes) { recording.add_output(bytes); });
  if (ended.start_error != 0) throw start_failure(request, ended.start_error);
  try {
    if (const std::string reason = not_kept(request, input, key, ended); !reason.empty()) {
      tell(globals, "not_stored", key, {{"reason", reason}}, "not stored: " + reason);
    } else {
      recording.add_error(ended.standard_error, outputs.count());
      const auto files =
          outputs.record(recording, bytes_max - ended.output_bytes - ended.standard_error.size()).value();
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      const std::uint64_t stored_before = cache.stats()[Counter::stored];
      recording.publish(ended.status, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
      if (cache.stats()[Counter::stored] == stored_before) throw why_not_stored(cache);
      const std::optional<EntryInfo> entry = cache.entry(key);
      const std::chrono::nanoseconds cost = entry ? entry->cost : std::chrono::nanoseconds(0);
      tell(globals, "stored", key, {{"cost_ns", cost.count()}},
           fmt::format("stored {} ({}{})", short_name(key), format_duration(cost), summary(ended, files)));
    }
  } catch (const Error& error) {
    warn_of(globals, "not_stored", "the result was not stored", error);
  } catch (const std::exception& error) {
    warn_of(globals, "not_stored", "the result was not stored", Error(Errc::io, error.what()));
  }
  if (ended.killed && ended.interrupted) end_as(ended.status - 128, cache, recording);
  if (ended.output_refused && ended.status == 0) return static_cast<int>(Exit::failed);
  return ended.status;
}

int run(const Globals& globals, const ExecOptions& options) {
  if (!options.misplaced.empty()) {
    throw Failure{Exit::usage, fmt::format("`{}` stands before `--`", printable(options.misplaced[0])),
                  fmt::format("larder exec {}", k_words)};
  }
  if (globals.command.empty()) {
    throw Failure{Exit::usage, "no command was given", "larder exec -- COMMAND [ARG]..."};
  }
  for (const std::string& name : options.request.variables) {
    const std::size_t equals = name.find('=');
    if (equals == std::string::npos) continue;
    throw Failure{
        Exit::usage, fmt::format("--env takes the name of a variable, not `{}`", printable(name)),
        fmt::format("{} larder exec --env {} -- COMMAND [ARG]...", printable(name), printable(name.substr(0, equals)))};
  }
  Request request = options.request;
  request.command = globals.command;
  request.ttl = parse_ttl(options.ttl);
  require_tags(request.tags);
  request.outputs = distinct_outputs(std::move(request.outputs));
  Input input(request.standard_input);
  if (disabled()) run_uncached(request, input);

  std::optional<Cache> cache;
  std::optional<Key> key;
  std::optional<Claim<ExecResult>> claim;
  try {
    request.compression = parse_compression(options.compress);
    cache = open_store(globals).value();
    input.read(value_bytes_max(*cache));
    key = key_of(request, input.digest());
    if (chain().find(key->fingerprint().hex()) != std::string::npos) {
      throw Error(Errc::cycle, "the command asks, through others, for its own result",
                  "give the inner one another --key, or LARDER_DISABLE=1");
    }
    const WaitNotice notice(globals, *cache);
    claim = cache->claim<ExecResult>(*key);
  } catch (const Error& error) {
    fail_open(globals, request, input, error);
  } catch (const std::exception& error) {
    fail_open(globals, request, input, Error(Errc::io, error.what()));
  }
  if (claim->ready()) return replay(globals, request, input, *key, claim->value());
  return record(globals, request, input, *cache, *key, *claim);
}

}  // namespace

const Verb k_exec = {
    "exec", k_words, "Run a command once, replay what it did ever after", k_example, [](CLI::App& verb) -> Action {
      auto options = std::make_shared<ExecOptions>();
      Request& request = options->request;
      const auto many = [&](const char* name, std::vector<std::string>& texts, const char* what) {
        return verb.add_option(name, texts, what)->allow_extra_args(false);
      };
      many("COMMAND", options->misplaced, "behind `--`: what to run, and its arguments");
      many("--file", request.files, "a file that the command reads: its content is part of the key (repeatable)")
          ->check(not_empty());
      many("--env", request.variables, "an environment variable that it reads (repeatable)")->check(not_empty());
      many("--out", request.outputs, "a file that it writes: kept, and written again on a hit (repeatable)")
          ->check(not_empty());
      verb.add_option("--key", request.extra, "more that the result depends on, as text");
      verb.add_option("--ttl", options->ttl, "how long the result is good: 90s, 15m, 1d12h, never");
      many("--tag", request.tags, "a name by which `larder invalidate` finds the result (repeatable)");
      add_compress(verb, options->compress);
      verb.add_flag("--stdin", request.standard_input,
                    "read all of standard input, as a part of the key, and hand it on");
      verb.add_flag("--store-failures", request.store_failures, "keep the result of a command that fails, too");
      verb.add_flag("--require-cache", request.require_cache, "end with 125 where the cache cannot be used");
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
