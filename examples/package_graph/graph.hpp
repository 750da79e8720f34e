// Packages and what they ask for, as a graph of numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace package_graph {

struct Package {
  std::string name;
  std::uint64_t kib = 0;                // installed size
  std::vector<std::uint32_t> asks_for;  // what it depends on, recommends or suggests: places in the Graph
};

using Graph = std::vector<Package>;

// The graph of all packages in `lists` (the text of Packages files or of dpkg's status). Where two lists know a
// package, the first one counts. Of alternatives (`a | b`) the first that exists is taken, and of the packages
// that provide a virtual one the first; versions and architectures are not looked at.
Graph parse_graph(const std::vector<std::string>& lists);

}  // namespace package_graph
