#include "graph.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace package_graph {
namespace {

using Places = std::unordered_map<std::string_view, std::uint32_t>;

// Cuts the part up to `separator` off the front of `text`.
std::string_view take(std::string_view& text, std::string_view separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + separator.size(), text.size()));
  return part;
}

// `  libc6:any (>= 2.36)` is about libc6.
std::string_view package_name(std::string_view relation) {
  relation.remove_prefix(std::min(relation.find_first_not_of(" \t\n"), relation.size()));
  return relation.substr(0, relation.find_first_of(" \t\n(:"));
}

// The fields of one paragraph that matter here; they point into the text.
struct Stanza {
  std::string_view package, pre_depends, depends, recommends, suggests, provides, installed_size, status;
};

Stanza parse_stanza(std::string_view text) {
  Stanza stanza;
  while (!text.empty()) {
    // A field ends at a line that does not begin with a blank.
    std::size_t end = text.find('\n');
    while (end != std::string_view::npos && end + 1 < text.size() && (text[end + 1] == ' ' || text[end + 1] == '\t')) {
      end = text.find('\n', end + 1);
    }
    std::string_view value = text.substr(0, end);
    text.remove_prefix(value.size() == text.size() ? value.size() : value.size() + 1);
    const std::string_view field = take(value, ":");
    if (field == "Package") stanza.package = package_name(value);
    if (field == "Depends") stanza.depends = value;
    if (field == "Pre-Depends") stanza.pre_depends = value;
    if (field == "Recommends") stanza.recommends = value;
    if (field == "Suggests") stanza.suggests = value;
    if (field == "Provides") stanza.provides = value;
    if (field == "Installed-Size") stanza.installed_size = package_name(value);
    if (field == "Status") stanza.status = value;
  }
  return stanza;
}

std::optional<std::uint32_t> find(const Places& packages, const Places& providers, std::string_view name) {
  if (const auto found = packages.find(name); found != packages.end()) return found->second;
  if (const auto found = providers.find(name); found != providers.end()) return found->second;
  return std::nullopt;
}

}  // namespace

Graph parse_graph(const std::vector<std::string>& lists) {
  Graph graph;
  std::vector<Stanza> stanzas;
  Places packages;
  Places providers;
  for (std::string_view rest : lists) {
    while (!rest.empty()) {
      const Stanza stanza = parse_stanza(take(rest, "\n\n"));
      const bool removed = !stanza.status.empty() && !stanza.status.ends_with(" installed");
      const auto place = static_cast<std::uint32_t>(graph.size());
      if (stanza.package.empty() || removed || !packages.emplace(stanza.package, place).second) continue;

      Package package{std::string(stanza.package), 0, {}};
      const std::string_view kib = stanza.installed_size;
      std::from_chars(kib.data(), kib.data() + kib.size(), package.kib);
      for (std::string_view provides = stanza.provides; !provides.empty();) {
        providers.emplace(package_name(take(provides, ",")), place);
      }
      graph.push_back(std::move(package));
      stanzas.push_back(stanza);
    }
  }

  for (std::size_t place = 0; place < graph.size(); ++place) {
    const Stanza& stanza = stanzas[place];
    for (std::string_view relations : {stanza.pre_depends, stanza.depends, stanza.recommends, stanza.suggests}) {
      while (!relations.empty()) {
        std::optional<std::uint32_t> chosen;
        for (std::string_view alternatives = take(relations, ","); !alternatives.empty() && !chosen;) {
          chosen = find(packages, providers, package_name(take(alternatives, "|")));
        }
        if (chosen) graph[place].asks_for.push_back(*chosen);
      }
    }
  }
  return graph;
}

}  // namespace package_graph
