// Sizes and durations, in the one grammar that the API, the tool and the environment share.
//
//   size      512 | 64KiB | 1.5MiB | 2GB | 2GiB | 10%      bare numbers are bytes; kB = 1000, KiB = 1024
//   duration  90s | 15m | 1d12h | 250ms | never            units w d h m s ms us ns, largest first, each once
//
// Space around a text is ignored, none is allowed in it; the case of size units does not matter. A
// fraction of a unit is rounded down to whole bytes.
// Text that could be read in two ways (`2G`, `20 gigs`, `90`) is an error that shows both readings.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <larder/result.hpp>

namespace larder {

// No end: a TTL of `k_never` does not expire.
inline constexpr std::chrono::nanoseconds k_never = std::chrono::nanoseconds::max();

// Parses a size. `whole` is what 100 % means, in bytes; without one (0) a percentage is an error.
LARDER_API Result<std::uint64_t> parse_size(std::string_view text, std::uint64_t whole = 0);

// Parses a duration; `never` gives k_never, `0` gives zero.
LARDER_API Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "1.5 GiB", "512 B": for people. Three significant digits.
LARDER_API std::string format_size(std::uint64_t bytes);
// "3 min 32 s", "41 us", "never": for people. Two units at most.
LARDER_API std::string format_duration(std::chrono::nanoseconds duration);
// "20GiB", "512", and "1d12h", "250ms": texts that parse back to exactly this value (a negative duration,
// which only a chrono duration can say, comes with its sign and does not parse).
LARDER_API std::string size_text(std::uint64_t bytes);
LARDER_API std::string duration_text(std::chrono::nanoseconds duration);

// A size as an option: a number of bytes, or text that is parsed where it is used.
class Size {
 public:
  // A negative number is what its text would be: an error where it is used.
  template <std::integral T>
  requires(!std::same_as<T, bool>) constexpr Size(T bytes)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<0>, static_cast<std::uint64_t>(bytes)) {
    if (bytes < T{0}) state_ = std::to_string(bytes);
  }
  Size(const char* text) : state_(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  Size(std::string text) : state_(std::move(text)) {}    // NOLINT(google-explicit-constructor)

  [[nodiscard]] Result<std::uint64_t> bytes(std::uint64_t whole = 0) const {
    if (const auto* number = std::get_if<std::uint64_t>(&state_)) return *number;
    return parse_size(std::get<std::string>(state_), whole);
  }

 private:
  std::variant<std::uint64_t, std::string> state_;
};

// A duration as an option: any std::chrono duration, or text that is parsed where it is used.
class Duration {
 public:
  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> duration)  // NOLINT(google-explicit-constructor)
      : state_(in_range(duration)) {}
  Duration(const char* text) : state_(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  Duration(std::string text) : state_(std::move(text)) {}    // NOLINT(google-explicit-constructor)

  // True if nanoseconds() cannot fail.
  [[nodiscard]] bool is_parsed() const noexcept { return std::holds_alternative<std::chrono::nanoseconds>(state_); }
  [[nodiscard]] Result<std::chrono::nanoseconds> nanoseconds() const {
    if (const auto* number = std::get_if<std::chrono::nanoseconds>(&state_)) return *number;
    return parse_duration(std::get<std::string>(state_));
  }

 private:
  // What is longer than 292 years is `never`.
  template <class Rep, class Period>
  static constexpr std::chrono::nanoseconds in_range(std::chrono::duration<Rep, Period> duration) {
    const std::chrono::duration<double, std::nano> wide(duration);
    if (!(wide < k_never)) return k_never;
    if (wide <= -k_never) return -k_never;
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration);
  }

  std::variant<std::chrono::nanoseconds, std::string> state_;
};

}  // namespace larder
