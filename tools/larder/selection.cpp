#include "selection.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace larder::tool {
namespace {

constexpr std::size_t k_digits_min = 4;
constexpr std::size_t k_digits_max = 32;
constexpr std::size_t k_candidates_shown = 5;

struct Selector {
  std::string name;
  std::string digits;
};

std::optional<Selector> parse_selector(const std::string& text) {
  const std::size_t mark = text.rfind('#');
  if (mark == std::string::npos) return std::nullopt;
  Selector selector{text.substr(0, mark), text.substr(mark + 1)};
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (selector.digits.size() < k_digits_min || selector.digits.size() > k_digits_max) return std::nullopt;
  if (!std::ranges::all_of(selector.digits, is_digit)) return std::nullopt;
  return selector;
}

// The name itself, or as `ls` prints it: long ones cut short, what does not print escaped.
bool has_name(const Key& key, const std::string& name) {
  if (key.name() == name) return true;
  const std::string shown = short_name(key);
  return shown.substr(0, shown.rfind('#')) == name;
}

}  // namespace

std::optional<EntryInfo> find_entry(Cache& cache, const std::string& text) {
  if (std::optional<EntryInfo> plain = cache.entry(Key(text))) return plain;
  const std::optional<Selector> selector = parse_selector(text);
  if (!selector) return std::nullopt;
  std::vector<EntryInfo> found;
  for (EntryInfo& entry : cache.entries()) {
    if (!entry.key.fingerprint().hex().starts_with(selector->digits) || !has_name(entry.key, selector->name)) continue;
    found.push_back(std::move(entry));
  }
  if (found.empty()) return std::nullopt;
  if (found.size() == 1) return std::move(found[0]);
  std::string candidates;
  for (std::size_t i = 0; i < std::min(found.size(), k_candidates_shown); ++i) {
    candidates +=
        fmt::format("{}{}#{}", i == 0 ? "" : ", ", printable(selector->name), found[i].key.fingerprint().hex());
  }
  throw Failure{Exit::usage, fmt::format("`{}` means {} entries", printable(text), found.size()),
                fmt::format("use more digits: {}", candidates)};
}

EntryInfo require_entry(const Globals& globals, Cache& cache, const std::string& text) {
  if (std::optional<EntryInfo> entry = find_entry(cache, text)) return *std::move(entry);
  throw not_found(globals, text);
}

Failure not_found(const Globals& globals, const std::string& text) {
  return {Exit::not_found, fmt::format("there is no entry `{}`", printable(text)), next_command(globals, "ls")};
}

}  // namespace larder::tool
