// The expensive computation: what can come along when a package is installed, as `apt-get --install-suggests` does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <larder/codecs.hpp>

#include "graph.hpp"

namespace package_graph {

// A package with everything that it asks for, directly or not.
struct Closure {
  std::string package;
  std::uint64_t packages = 0;  // itself included
  std::uint64_t kib = 0;       // installed
};

// The closure of every package of the graph: the most packages first, then by name. Progress goes to stderr.
std::vector<Closure> compute_closures(const Graph& graph);

}  // namespace package_graph

// How larder stores a Closure.
template <>
struct larder::Codec<package_graph::Closure> {
  static std::string type_name() { return "package_graph::Closure/1"; }
  static void encode(const package_graph::Closure& closure, Encoder& out) {
    larder::encode(closure.package, out);
    out.number(closure.packages);
    out.number(closure.kib);
  }
  static package_graph::Closure decode(Decoder& in) {
    auto package = larder::decode<std::string>(in);
    const auto packages = in.number<std::uint64_t>();
    return {std::move(package), packages, in.number<std::uint64_t>()};
  }
};
