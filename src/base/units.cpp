// Sizes and durations, strictly: what has one reading is accepted, what has two or none is an error that
// shows how to write it.
#include <larder/units.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace larder {
namespace {

__extension__ using Wide = unsigned __int128;

// Digits after the point are kept as billionths.
constexpr std::uint64_t k_billion = 1'000'000'000;
constexpr std::size_t k_fraction_digits_max = 9;

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
// By value, largest first.
constexpr std::array<SizeUnit, 11> k_size_units = {{{"PiB", std::uint64_t{1} << 50},
                                                    {"PB", 1'000'000'000'000'000},
                                                    {"TiB", std::uint64_t{1} << 40},
                                                    {"TB", 1'000'000'000'000},
                                                    {"GiB", std::uint64_t{1} << 30},
                                                    {"GB", 1'000'000'000},
                                                    {"MiB", std::uint64_t{1} << 20},
                                                    {"MB", 1'000'000},
                                                    {"KiB", std::uint64_t{1} << 10},
                                                    {"kB", 1'000},
                                                    {"B", 1}}};

struct DurationUnit {
  std::string_view name;
  std::uint64_t ns;
};
// Largest first, as the grammar wants them.
constexpr std::array<DurationUnit, 8> k_duration_units = {{{"w", 604'800'000'000'000},
                                                           {"d", 86'400'000'000'000},
                                                           {"h", 3'600'000'000'000},
                                                           {"m", 60'000'000'000},
                                                           {"s", 1'000'000'000},
                                                           {"ms", 1'000'000},
                                                           {"us", 1'000},
                                                           {"ns", 1}}};

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// The text as it stands in a message.
std::string quoted(std::string_view text) {
  constexpr std::size_t k_shown_max = 60;
  if (text.size() <= k_shown_max) return '`' + std::string(text) + '`';
  return '`' + std::string(text.substr(0, k_shown_max)) + "...`";
}

// "2 147 483 648".
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ' ');
  return digits;
}

std::optional<std::uint64_t> multiply(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}
std::optional<std::uint64_t> add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// Takes the digits that `text` starts with. Nothing if there are none or they say too much.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// A decimal number without sign or exponent: whole + billionths / 10^9.
struct Decimal {
  std::uint64_t whole = 0;
  std::uint64_t billionths = 0;
  bool fraction = false;  // it was written with a point

  // Times `factor`, rounded down; nothing if that does not fit.
  [[nodiscard]] std::optional<std::uint64_t> times(std::uint64_t factor) const {
    const auto product = multiply(whole, factor);
    if (!product) return std::nullopt;
    return add(*product, static_cast<std::uint64_t>(Wide{billionths} * factor / k_billion));
  }
};

// Takes a decimal number from the front of `text`; leaves what follows it.
std::optional<Decimal> take_decimal(std::string_view& text) {
  Decimal decimal;
  const auto whole = take_number(text);
  if (!whole) return std::nullopt;
  decimal.whole = *whole;
  if (text.empty() || text.front() != '.') return decimal;
  text.remove_prefix(1);
  const std::size_t before = text.size();
  const auto digits = take_number(text);
  const std::size_t length = before - text.size();
  if (!digits || length > k_fraction_digits_max) return std::nullopt;
  decimal.fraction = true;
  decimal.billionths = *digits;
  for (std::size_t i = length; i < k_fraction_digits_max; ++i) decimal.billionths *= 10;
  return decimal;
}

constexpr const char* k_size_max_help = "a size is at most 18446744073709551615 bytes";

// `"2GB" (2 000 000 000 bytes) or "2GiB" (2 147 483 648 bytes)`: the two readings of a number with only
// the letter of a unit. `digits` is the number as it was written.
std::string both_readings(std::string_view digits, const Decimal& number, char letter) {
  std::string readings;
  for (const std::string_view rest : {"B", "iB"}) {
    const std::string name = letter + std::string(rest);
    const auto unit = std::ranges::find_if(
        k_size_units, [&](const SizeUnit& candidate) { return equal_ignoring_case(candidate.name, name); });
    const auto bytes = number.times(unit->bytes);
    if (!bytes) continue;
    readings += readings.empty() ? "write \"" : " or \"";
    readings += std::string(digits) + std::string(unit->name) + "\" (" + grouped(*bytes) + " bytes)";
  }
  return readings.empty() ? k_size_max_help : readings;
}

constexpr const char* k_size_help = "write a number and a unit, for example \"512MiB\", \"2GB\" or \"10%\"";
constexpr const char* k_duration_help =
    "write whole numbers with units w d h m s ms us ns, largest first, each once, for example \"1d12h\", or \"never\"";

Error not_a_size(std::string_view text, std::string help) {
  return {Errc::invalid_size, quoted(text) + " is not a size", std::move(help)};
}
Error not_a_duration(std::string_view text, std::string help) {
  return {Errc::invalid_duration, quoted(text) + " is not a duration", std::move(help)};
}

Result<std::uint64_t> parse_percentage(std::string_view text, const Decimal& number, std::uint64_t whole) {
  if (whole == 0) return not_a_size(text, "a percentage has no meaning here; write bytes, for example \"512MiB\"");
  const Wide billionths = Wide{number.whole} * k_billion + number.billionths;
  if (billionths > Wide{100} * k_billion) return not_a_size(text, "a percentage is at most 100%");
  return static_cast<std::uint64_t>(Wide{whole} * billionths / (Wide{100} * k_billion));
}

// Up to three significant digits, without zeros at the end; integers from 100 on.
std::string significant(double value) {
  std::array<char, 32> buffer{};
  const int digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  char* const end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits).ptr;
  std::string text(buffer.data(), end);
  if (digits > 0) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

// `value` in the largest of `names` in which it is at least 1, each `step` times the one before.
template <std::size_t N>
std::string scaled(double value, double step, const std::array<const char*, N>& names) {
  std::size_t unit = 0;
  while (unit + 1 < N && std::round(value) >= step) {
    value /= step;
    ++unit;
  }
  return significant(value) + ' ' + names[unit];
}

// The absolute value; correct for the most negative one too.
std::uint64_t magnitude(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<std::uint64_t>(duration.count());
  return duration.count() < 0 ? 0 - ns : ns;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text, std::uint64_t whole) {
  const std::string_view all = trim(text);
  if (!all.empty() && all.front() == '-') return not_a_size(all, "a size is not negative");
  std::string_view rest = all;
  const auto number = take_decimal(rest);
  if (!number) {
    const bool digits_only = !all.empty() && std::ranges::all_of(all, is_digit);
    return not_a_size(all, digits_only ? k_size_max_help : k_size_help);
  }
  const std::string_view digits = all.substr(0, all.size() - rest.size());
  if (rest == "%") return parse_percentage(all, *number, whole);
  if (rest.empty()) {
    if (number->fraction) return not_a_size(all, both_readings(digits, *number, 'G'));
    return number->whole;
  }

  const std::string_view name = trim(rest);
  const auto unit = std::ranges::find_if(
      k_size_units, [&](const SizeUnit& candidate) { return equal_ignoring_case(candidate.name, name); });
  if (unit == k_size_units.end()) {
    constexpr std::string_view k_letters = "kmgtp";
    if (k_letters.find(lower(name.front())) == std::string_view::npos) return not_a_size(all, k_size_help);
    return not_a_size(all, both_readings(digits, *number, name.front()));
  }
  const auto bytes = number->times(unit->bytes);
  if (!bytes) return not_a_size(all, k_size_max_help);
  if (name.size() != rest.size()) {
    return not_a_size(all, "write \"" + std::string(digits) + std::string(unit->name) + "\", without a space");
  }
  if (number->fraction && unit->bytes == 1) return not_a_size(all, "a size is a whole number of bytes");
  return *bytes;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const std::string_view all = trim(text);
  if (all == "never") return k_never;
  if (all == "0") return std::chrono::nanoseconds::zero();
  if (!all.empty() && all.front() == '-') return not_a_duration(all, "a duration is not negative");
  if (!all.empty() && std::ranges::all_of(all, is_digit)) {
    return not_a_duration(all, "write \"" + std::string(all) + "s\" or \"" + std::string(all) + "m\"");
  }
  if (all.empty()) return not_a_duration(all, k_duration_help);

  std::uint64_t sum = 0;
  auto allowed = k_duration_units.begin();  // units before this one were used, or are larger than one that was
  for (std::string_view rest = all; !rest.empty();) {
    const auto number = take_number(rest);
    if (!number) return not_a_duration(all, k_duration_help);
    const std::size_t length =
        std::min(rest.size(), static_cast<std::size_t>(std::ranges::find_if(rest, is_digit) - rest.begin()));
    const auto unit = std::ranges::find(k_duration_units, rest.substr(0, length), &DurationUnit::name);
    if (unit < allowed || unit == k_duration_units.end()) return not_a_duration(all, k_duration_help);
    allowed = unit + 1;
    rest.remove_prefix(length);
    const auto part = multiply(*number, unit->ns);
    const auto total = part ? add(sum, *part) : std::nullopt;
    if (!total || *total >= static_cast<std::uint64_t>(k_never.count())) {
      return not_a_duration(all, "a duration is less than 292 years; write \"never\" for no end");
    }
    sum = *total;
  }
  return std::chrono::nanoseconds(sum);
}

std::string format_size(std::uint64_t bytes) {
  return scaled(static_cast<double>(bytes), 1024, std::array{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"});
}

std::string format_duration(std::chrono::nanoseconds duration) {
  if (duration == k_never) return "never";
  if (duration.count() == 0) return "0 s";
  const std::string sign = duration.count() < 0 ? "-" : "";
  const std::uint64_t ns = magnitude(duration);
  constexpr std::array<DurationUnit, 4> k_large = {
      {{"d", 86'400 * k_billion}, {"h", 3'600 * k_billion}, {"min", 60 * k_billion}, {"s", k_billion}}};
  for (std::size_t i = 0; i + 1 < k_large.size(); ++i) {
    const auto& [name, unit] = k_large[i];
    if (ns < unit) continue;
    const std::uint64_t minor = ns % unit / k_large[i + 1].ns;
    std::string text = sign + std::to_string(ns / unit) + ' ' + std::string(name);
    if (minor > 0) text += ' ' + std::to_string(minor) + ' ' + std::string(k_large[i + 1].name);
    return text;
  }
  return sign + scaled(static_cast<double>(ns), 1000, std::array{"ns", "us", "ms", "s"});
}

std::string size_text(std::uint64_t bytes) {
  std::string shortest = std::to_string(bytes);
  for (const auto& [name, unit] : k_size_units) {
    if (unit == 1 || bytes == 0 || bytes % unit != 0) continue;
    std::string candidate = std::to_string(bytes / unit) + std::string(name);
    if (candidate.size() <= shortest.size()) shortest = std::move(candidate);
  }
  return shortest;
}

std::string duration_text(std::chrono::nanoseconds duration) {
  if (duration == k_never) return "never";
  if (duration.count() == 0) return "0";
  std::string text = duration.count() < 0 ? "-" : "";
  std::uint64_t left = magnitude(duration);
  for (const auto& [name, unit] : k_duration_units) {
    if (left < unit) continue;
    text += std::to_string(left / unit) + std::string(name);
    left %= unit;
  }
  return text;
}

}  // namespace larder
