// larder_bench_traces: which part of the requests in traces the memory tier answers, and of their cost, beside what was
// measured of other policies on the same traces. See bench/README.md.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_set>

#include "harness/environment.hpp"
#include "harness/json.hpp"
#include "references.hpp"
#include "replay.hpp"
#include "tables.hpp"

namespace bench {
namespace {

using larder::codec::CostModel;
using larder::codec::TraceRecord;

constexpr const char* k_usage = R"(larder_bench_traces: hit ratios and saved costs of the memory tier, on traces

  larder_bench_traces DIR [--only TEXT] [--threads N] [--json FILE]

  DIR             traces (*.trace.zst or *.trace), with reference.csv and reference_cost.csv, see bench/README.md
  --only TEXT     traces whose name contains TEXT; means are then theirs
  --threads N     beside one thread (default 16)
  --json FILE     write everything that was measured to FILE
)";

struct Options {
  std::filesystem::path directory;
  std::string only;
  unsigned threads = 16;
  std::filesystem::path json;
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
    } else if (word == "--json") {
      options.json = next();
    } else {
      options.directory = word;
    }
  }
  if (options.directory.empty()) throw std::runtime_error("which traces? see --help");
  return options;
}

struct Trace {
  std::string name;
  std::vector<TraceRecord> requests;
  std::uint64_t values = 0;  // distinct ones
  std::uint64_t bytes = 0;   // of them
};

Trace load(const std::filesystem::path& directory, const std::string& name) {
  std::filesystem::path path = directory / (name + ".trace.zst");
  if (!std::filesystem::exists(path)) path.replace_extension();
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  larder::Result<std::vector<TraceRecord>> requests = larder::codec::decode_trace(std::as_bytes(std::span(bytes)));
  if (!requests) throw std::runtime_error(path.string() + ": " + requests.error().what());
  Trace trace{name, *std::move(requests), 0, 0};
  std::unordered_set<std::uint64_t> seen;
  for (const TraceRecord& request : trace.requests) {
    if (seen.insert(request.key).second) trace.bytes += request.size;
  }
  trace.values = seen.size();
  return trace;
}

struct NamedModel {
  const char* name;
  CostModel model;
};
constexpr std::array k_models = {NamedModel{"native", CostModel::native}, NamedModel{"prop", CostModel::proportional},
                                 NamedModel{"logn", CostModel::log_normal}, NamedModel{"unit", CostModel::unit}};

CostModel model_of(const std::string& name) {
  const auto* model = std::ranges::find(k_models, name, &NamedModel::name);
  if (model == k_models.end()) throw std::runtime_error("there is no cost model " + name);
  return model->model;
}

Row measure(const Trace& trace, const Cell& cell, const ByPolicy& references, unsigned threads) {
  Row row;
  row.cell = cell;
  row.requests = trace.requests.size();
  row.entries =
      static_cast<double>(cell.capacity) * static_cast<double>(trace.values) / static_cast<double>(trace.bytes);
  row.references = references;
  for (const unsigned per_mille : k_per_mille) {
    if (cell.capacity == trace.bytes * per_mille / 1000) row.per_mille = per_mille;
  }
  const auto run = [&](const char* name, larder::policy::Make make, unsigned as_many) {
    row.measured[name] = replay(trace.requests, make, cell.capacity, model_of(cell.model), as_many);
  };
  run(k_two_gate, larder::policy::make_two_gate, 1);
  run(k_two_gate_threads, larder::policy::make_two_gate, threads);
  run(k_s3_fifo, larder::policy::make_s3_fifo, 1);
  run(k_lru, larder::policy::make_lru, 1);
  return row;
}

void run(const Options& options, const Environment& environment) {
  Trace trace;
  std::vector<Row> rows;
  for (const auto& [cell, references] : read_references(options.directory)) {
    if (cell.trace.find(options.only) == std::string::npos) continue;
    if (trace.name != cell.trace) {
      trace = load(options.directory, cell.trace);
      print_heading(cell, trace.requests.size(), trace.values, trace.bytes);
    }
    rows.push_back(measure(trace, cell, references, options.threads));
    print(rows.back());
  }
  if (rows.empty()) throw std::runtime_error("no trace's name contains " + options.only);
  print_summary(rows);
  if (options.json.empty()) return;
  std::ofstream out(options.json);
  write_json(environment, options.threads, rows, out);
  if (!out.flush()) throw std::runtime_error("cannot write " + options.json.string());
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    const bench::Options options = bench::parse(argc, argv);
    const bench::Environment environment = bench::describe(argc, argv, options.directory, 1);
    bench::print_facts(environment, std::cout);
    std::cout << std::flush;
    bench::print_legend(options.threads);
    bench::run(options, environment);
  } catch (const std::exception& error) {
    std::cerr << "larder_bench_traces: " << error.what() << '\n';
    return 1;
  }
}
