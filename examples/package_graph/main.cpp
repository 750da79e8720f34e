// package_graph: which Debian packages can bring the most others along?
//
// Counted is all that a package depends on, recommends or suggests, directly or not: a search through the graph of
// Debian for every package of it. That takes seconds, and the answer changes only when the package lists do: a case
// for a cache. The key is made of the content of the input files, so that there is nothing to invalidate: after
// `apt-get update` the key is another one. The value is a vector of a type of our own (closures.hpp shows how
// larder stores it).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <larder/larder.hpp>

#include "closures.hpp"
#include "graph.hpp"
#include "input.hpp"

namespace {

using package_graph::Closure;
using Files = std::vector<std::filesystem::path>;

constexpr const char* k_help = R"(package_graph: which Debian packages can bring the most others along?

  package_graph [--twice] [FILE...]

  FILE      a list of packages, as apt and dpkg write them; without one, all that this machine has
  --twice   asks twice in this process: the second answer comes from memory

The answer is kept in larder's store: $LARDER_DIR, or else ~/.cache/larder/default.
)";

struct Arguments {
  Files files;
  bool twice = false;
};

// Everything that takes long: read, parse, compute.
std::vector<Closure> closures_of(const Files& files) {
  std::vector<std::string> lists;
  for (const auto& file : files) lists.push_back(package_graph::read_list(file));
  const package_graph::Graph graph = package_graph::parse_graph(lists);
  if (graph.empty()) throw std::runtime_error("there is no package in " + files.front().string());
  return package_graph::compute_closures(graph);
}

larder::Ref<std::vector<Closure>> ask(larder::Cache& cache, const Files& files) {
  // The question, without its answer: the content of the files, not their names or dates. Raise the version when
  // closures_of() changes what it computes.
  std::vector<larder::Digest> contents;
  for (const auto& file : files) contents.push_back(larder::digest_file(file).value());
  const larder::Key key{"package_graph/closures", larder::Version{1}, contents};

  return cache.get_or_compute(key, [&] { return closures_of(files); });
}

void print_how(const larder::Ref<std::vector<Closure>>& answer, std::chrono::nanoseconds took) {
  const std::string time = larder::format_duration(took);
  if (answer.source() == larder::Tier::computed) {
    std::printf("\ncomputed in %s; from now on this is remembered\n", time.c_str());
  } else {
    std::printf("\nanswered from %s in %s instead of %s: saved %s\n",
                answer.source() == larder::Tier::memory ? "memory" : "the store", time.c_str(),
                larder::format_duration(answer.cost()).c_str(), larder::format_duration(answer.saved()).c_str());
  }
}

void ask_and_print(larder::Cache& cache, const Files& files) {
  const auto start = std::chrono::steady_clock::now();
  const auto answer = ask(cache, files);
  const auto took = std::chrono::steady_clock::now() - start;

  std::printf("\nOf %zu packages, these can bring the most along:\n\n  packages  installed  package\n", answer->size());
  for (std::size_t i = 0; i < std::min<std::size_t>(10, answer->size()); ++i) {
    const Closure& closure = (*answer)[i];
    std::printf("  %8llu %10s  %s\n", static_cast<unsigned long long>(closure.packages),
                larder::format_size(closure.kib * 1024).c_str(), closure.package.c_str());
  }
  print_how(answer, took);
}

void run(const Arguments& arguments) {
  larder::Cache cache = larder::Cache::open().value();
  ask_and_print(cache, arguments.files);
  if (arguments.twice) ask_and_print(cache, arguments.files);
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(words[i], "--twice") == 0) {
      arguments.twice = true;
    } else if (std::strcmp(words[i], "--help") == 0) {
      std::fputs(k_help, stdout);
      return 0;
    } else if (words[i][0] == '-') {
      std::fprintf(stderr, "package_graph: unknown option %s (see --help)\n", words[i]);
      return 2;
    } else {
      arguments.files.emplace_back(words[i]);
    }
  }
  try {
    if (arguments.files.empty()) {
      arguments.files = package_graph::default_files();
      if (arguments.files.size() == 1) {
        std::puts(
            "apt has no lists here (`apt-get update` brings them): this will be a small graph, of installed packages.");
      }
    }
    run(arguments);
    return 0;
  } catch (const larder::Error& error) {
    std::fprintf(stderr, "package_graph: %s\n", error.what());
    if (!error.help().empty()) std::fprintf(stderr, "  help: %s\n", error.help().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "package_graph: %s\n", error.what());
  }
  return 1;
}
