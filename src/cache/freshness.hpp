// For what a value is good that is still kept: to answer with, or only for who asks with windows
// (docs/guide/freshness.md).
#pragma once

#include <cstdint>

#include <larder/cache.hpp>

namespace larder::detail {

// What a caller takes besides a fresh value: its windows are in milliseconds.
struct Windows {
  std::int64_t ahead_ms = 0;     // EntryOptions::refresh_ahead
  std::int64_t stale_ms = 0;     // EntryOptions::stale_while_revalidate
  std::int64_t on_error_ms = 0;  // EntryOptions::stale_if_error
  bool negative = false;         // that there is no answer
};
// Throws Error(invalid_duration).
Windows windows_of(const EntryOptions& options);

enum class Use : std::uint8_t {
  answer,
  due,       // to answer with, while one caller computes it anew
  on_error,  // to answer with if computing it anew fails
  others,    // nothing: others may ask with other windows
};
// Of a value that is fresh until then.
[[nodiscard]] constexpr Use use_of(std::int64_t fresh_ms, std::int64_t now_ms, const Windows& windows) noexcept {
  const bool stale = now_ms >= fresh_ms;
  const auto distance = stale ? static_cast<std::uint64_t>(now_ms) - static_cast<std::uint64_t>(fresh_ms)
                              : static_cast<std::uint64_t>(fresh_ms) - static_cast<std::uint64_t>(now_ms);
  const auto within = [&](std::int64_t window_ms) { return distance < static_cast<std::uint64_t>(window_ms); };
  if (!stale) return distance <= static_cast<std::uint64_t>(windows.ahead_ms) ? Use::due : Use::answer;
  if (within(windows.stale_ms)) return Use::due;
  return within(windows.on_error_ms) ? Use::on_error : Use::others;
}

// A value that a lookup found, and that is to be computed anew.
struct Old {
  Windows windows = {};  // of who looks for it
  bool found = false;
  Use use = Use::others;
  bool stale = false;
  Answer answer = {};  // none, if it is of use to others only
  std::int64_t fresh_ms = 0;
  std::uint64_t stamp = 0;  // of the key, then
};

}  // namespace larder::detail
