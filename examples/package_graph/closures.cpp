#include "closures.hpp"

#include <algorithm>
#include <cstdio>
#include <tuple>

namespace package_graph {

std::vector<Closure> compute_closures(const Graph& graph) {
  std::vector<Closure> closures;
  closures.reserve(graph.size());
  std::vector<std::size_t> reached_from(graph.size(), graph.size());  // the last start that reached a package
  std::vector<std::uint32_t> reached;

  for (std::size_t start = 0; start < graph.size(); ++start) {
    if (start % (graph.size() / 10 + 1) == 0) {
      std::fprintf(stderr, "computing: %zu of %zu packages\n", start, graph.size());
    }
    Closure closure{graph[start].name};
    reached.assign(1, static_cast<std::uint32_t>(start));
    reached_from[start] = start;
    for (std::size_t next = 0; next < reached.size(); ++next) {
      const Package& package = graph[reached[next]];
      closure.kib += package.kib;
      for (const std::uint32_t needed : package.asks_for) {
        if (reached_from[needed] == start) continue;
        reached_from[needed] = start;
        reached.push_back(needed);
      }
    }
    closure.packages = reached.size();
    closures.push_back(std::move(closure));
  }
  std::ranges::sort(closures, [](const Closure& a, const Closure& b) {
    return std::tie(b.packages, a.package) < std::tie(a.packages, b.package);
  });
  return closures;
}

}  // namespace package_graph
