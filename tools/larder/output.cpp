#include "output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <larder/units.hpp>

#include "raw.hpp"
#include "transfer.hpp"

namespace larder::tool {
namespace {

// Bytes that are no UTF-8 become U+FFFD: keys may hold any bytes, JSON may not.
std::string dump(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool colored() {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  return error_is_terminal() && (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

std::string in_color(const char* code, std::string_view text) {
  return colored() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace

Exit exit_of(Errc code) {
  switch (code) {
    case Errc::invalid_option:
    case Errc::invalid_size:
    case Errc::invalid_duration:
    case Errc::key_too_long:
      return Exit::usage;
    case Errc::permission:
      return Exit::permission;
    case Errc::no_space:
      return Exit::no_space;
    case Errc::no_store:
      return Exit::no_store;
    case Errc::not_found:
      return Exit::not_found;
    default:
      return Exit::failed;
  }
}

Failure failure_of(const Error& error) {
  return {exit_of(error.code()), error.what(), error.help()};
}

std::string next_command(const Globals& globals, std::string_view words) {
  return fmt::format("larder {}{}{}", words, globals.directory.empty() ? "" : " --dir " + printable(globals.directory),
                     globals.shared.empty() ? "" : " --shared " + printable(globals.shared));
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

// Unbuffered, so that text and the bytes of a replayed command keep their order.
void print(std::string_view bytes) {
  if (const int code = write_all(STDOUT_FILENO, bytes); code != 0) {
    throw Failure{code == ENOSPC ? Exit::no_space : Exit::failed,
                  fmt::format("standard output cannot be written: {}", std::strerror(code)),
                  code == ENOSPC ? "free some space there, or send it elsewhere" : ""};
  }
}

void print_json(const nlohmann::json& json) {
  print(dump(json, 2) + "\n");
}

// Where standard error cannot be written there is nobody to tell.
void write_error(std::string_view bytes) {
  (void)write_all(STDERR_FILENO, bytes);
}

void say_json(const nlohmann::json& json) {
  write_error(dump(json, -1) + "\n");
}

void say(const Globals& globals, std::string_view line) {
  if (!globals.quiet) write_error(fmt::format("larder: {}\n", line));
}

void warn(std::string_view what) {
  write_error(fmt::format("larder: {}: {}\n", in_color("33", "warning"), printable(what)));
}

void print_failure(const Failure& failure, bool json) {
  if (json) {
    return say_json({{"error", failure.what}, {"help", failure.help}, {"exit", static_cast<int>(failure.exit)}});
  }
  write_error(fmt::format("larder: {}: {}\n", in_color("31", "error"), printable(failure.what)));
  if (!failure.help.empty()) write_error(fmt::format("  help: {}\n", printable(failure.help)));
}

bool error_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

std::string ago(std::chrono::system_clock::time_point then) {
  using namespace std::chrono;
  const auto age = system_clock::now() - then;
  if (age < seconds(1)) return "just now";
  nanoseconds rounded = duration_cast<seconds>(age);
  if (age >= minutes(1)) rounded = duration_cast<minutes>(age);
  if (age >= hours(1)) rounded = duration_cast<hours>(age);
  if (age >= days(1)) rounded = duration_cast<days>(age);
  return format_duration(rounded) + " ago";
}

std::string timestamp(std::chrono::system_clock::time_point time) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", text, milliseconds % 1000);
}

std::string short_name(const Key& key) {
  return printable(key.short_text());
}

std::string hex(std::span<const std::byte> bytes) {
  std::string result;
  for (const std::byte byte : bytes) result += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return result;
}

nlohmann::json entry_json(const EntryInfo& entry) {
  return {{"key", entry.key.short_text()},
          {"name", entry.key.name()},
          {"fingerprint", entry.key.fingerprint().hex()},
          {"text", entry.key.text()},
          {"type", entry.type},
          {"bytes", value_bytes(entry)},
          {"compressed_bytes", entry.compressed_bytes ? nlohmann::json(*entry.compressed_bytes) : nlohmann::json()},
          {"cost_ns", entry.cost.count()},
          {"created", timestamp(entry.created)},
          {"expires", entry.expires ? nlohmann::json(timestamp(*entry.expires)) : nlohmann::json()},
          {"stale_until", entry.stale_until ? nlohmann::json(timestamp(*entry.stale_until)) : nlohmann::json()}};
}

Progress::Progress(const Globals& globals, bool lines)
    : lines_(lines), redraw_(!lines && !globals.quiet && !globals.json && error_is_terminal()) {}

Progress::~Progress() {
  if (drawn_) write_error("\r\x1b[K");
}

void Progress::update(std::uint64_t bytes_done, std::uint64_t bytes_all) {
  if (!lines_ && !redraw_) return;
  const auto now = std::chrono::steady_clock::now();
  if (bytes_done != bytes_all && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  if (lines_) {
    say_json({{"event", "progress"}, {"bytes_done", bytes_done}, {"bytes_all", bytes_all}});
  } else {
    write_error(fmt::format("\r\x1b[K{} of {}", format_size(bytes_done), format_size(bytes_all)));
    drawn_ = true;
  }
}

}  // namespace larder::tool
