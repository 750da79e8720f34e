// larder_bench_traces: which part of the requests in traces the memory tier answers, and of their cost, beside what was
// measured of other policies on the same traces.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

#include "harness/environment.hpp"
#include "references.hpp"
#include "replay.hpp"

namespace bench {
namespace {

using larder::codec::CostModel;
using larder::codec::TraceRecord;

constexpr const char* k_usage = R"(larder_bench_traces: hit ratios and saved costs of the memory tier, on traces

  larder_bench_traces DIR [--only TEXT] [--threads N]

  DIR             traces (*.trace.zst), with reference.csv and reference_cost.csv, see bench/README.md
  --only TEXT     traces whose name contains TEXT
  --threads N     beside one thread (default 16)
)";

struct Options {
  std::filesystem::path directory;
  std::string only;
  unsigned threads = 16;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto next = [&]() -> std::string {
      if (i + 1 == argc) throw std::runtime_error(word + " needs a word behind it");
      return argv[++i];
    };
    if (word == "--help") {
      std::fputs(k_usage, stdout);
      std::exit(0);
    }
    if (word == "--only") {
      options.only = next();
    } else if (word == "--threads") {
      options.threads = static_cast<unsigned>(std::stoul(next()));
    } else {
      options.directory = word;
    }
  }
  if (options.directory.empty()) throw std::runtime_error("which traces? see --help");
  return options;
}

std::vector<TraceRecord> load(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  larder::Result<std::vector<TraceRecord>> requests = larder::codec::decode_trace(std::as_bytes(std::span(bytes)));
  if (!requests) throw std::runtime_error(path.string() + ": " + requests.error().what());
  return *std::move(requests);
}

// What counts of one table of references, over all cells.
class Summary {
 public:
  explicit Summary(std::string what) : what_(std::move(what)) {}
  void add(const Cell& cell, double ours, const std::map<std::string, double>& references) {
    const Best best = best_practical(references);
    const double behind = std::max(0.0, best.ratio - ours);
    ++cells_;
    ours_ += ours;
    behind_ += behind;
    if (behind > worst_) worst_ = behind, worst_at_ = cell;
    if (const auto reference = references.find("twogate"); reference != references.end()) {
      reference_ += reference->second;
      reference_behind_ += std::max(0.0, best.ratio - reference->second);
    }
  }
  void print() const {
    if (cells_ == 0) return;
    const double n = cells_;
    std::printf(
        "%s: %d cells, mean %.4f (reference %.4f), behind the best of each cell %.4f (reference %.4f), at most %.4f "
        "(%s at %llu)\n",
        what_.c_str(), cells_, ours_ / n, reference_ / n, behind_ / n, reference_behind_ / n, worst_,
        worst_at_.first.c_str(), static_cast<unsigned long long>(worst_at_.second));
  }

 private:
  const std::string what_;
  int cells_ = 0;
  double ours_ = 0;
  double behind_ = 0;
  double reference_ = 0;
  double reference_behind_ = 0;
  double worst_ = 0;
  Cell worst_at_;
};

void run(const Options& options) {
  const References hits = read_hit_ratios(options.directory);
  const References saved = read_cost_saved(options.directory, "logn");
  Summary hits_summary("hit ratio");
  Summary saved_summary("cost saved");
  std::printf("\n%-16s %12s  %7s %8s %8s %8s  %-12s %8s %8s  %7s\n", "trace", "capacity", "hits", "twogate", "best",
              "behind", "best policy", "threads", "saved", "ns");
  std::string loaded;
  std::vector<TraceRecord> requests;
  for (const auto& [cell, references] : hits) {
    const auto& [trace, capacity] = cell;
    if (trace.find(options.only) == std::string::npos) continue;
    if (loaded != trace) {
      requests = load(options.directory / (trace + ".trace.zst"));
      loaded = trace;
    }
    const auto ours = [&](CostModel model, unsigned threads) {
      return replay(requests, larder::policy::make_two_gate, capacity, model, threads);
    };
    const Replayed one = ours(CostModel::unit, 1);
    const Replayed many = ours(CostModel::unit, options.threads);
    const Replayed costs = ours(CostModel::log_normal, 1);
    const Best best = best_practical(references);
    std::printf("%-16s %12llu  %7.4f %+8.4f %8.4f %8.4f  %-12s %+8.4f %8.4f  %7.0f\n", trace.c_str(),
                static_cast<unsigned long long>(capacity), one.hit_ratio, one.hit_ratio - references.at("twogate"),
                best.ratio, std::max(0.0, best.ratio - one.hit_ratio), best.policy.c_str(),
                many.hit_ratio - one.hit_ratio, costs.cost_saved_ratio, one.ns_per_request);
    std::fflush(stdout);
    hits_summary.add(cell, one.hit_ratio, references);
    if (const auto reference = saved.find(cell); reference != saved.end()) {
      saved_summary.add(cell, costs.cost_saved_ratio, reference->second);
    }
  }
  std::printf("\n");
  hits_summary.print();
  saved_summary.print();
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    const bench::Options options = bench::parse(argc, argv);
    for (const auto& [name, fact] : bench::describe(argc, argv, options.directory, 1).facts) {
      std::printf("%-25s %s\n", name.c_str(), fact.c_str());
    }
    bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "larder_bench_traces: " << error.what() << '\n';
    return 1;
  }
}
