// `larder simulate`: what a cache of some capacity would have saved of the requests in a trace, by the policies that
// the memory tier runs.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <larder/units.hpp>

#include "arguments.hpp"
#include "codec/trace.hpp"
#include "policy/shadow.hpp"
#include "transfer.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct SimulateOptions {
  std::vector<std::string> files;
  std::vector<std::string> policies = {"two-gate"};
  std::vector<std::string> capacities = {"1%", "10%"};
  std::string cost = "native";
  bool progress = false;
};

struct NamedPolicy {
  const char* name;
  policy::Make make;
};
constexpr std::array k_policies = {NamedPolicy{"two-gate", policy::make_two_gate},
                                   NamedPolicy{"s3-fifo", policy::make_s3_fifo}, NamedPolicy{"lru", policy::make_lru}};

struct NamedCost {
  const char* name;
  codec::CostModel model;
};
constexpr std::array k_costs = {
    NamedCost{"native", codec::CostModel::native}, NamedCost{"prop", codec::CostModel::proportional},
    NamedCost{"logn", codec::CostModel::log_normal}, NamedCost{"unit", codec::CostModel::unit}};

template <std::size_t N, class Named>
std::vector<std::string> names_of(const std::array<Named, N>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.emplace_back(one.name);
  return names;
}

// REQUIRES: there is one of that name.
template <std::size_t N, class Named>
const Named& find_named(const std::array<Named, N>& all, const std::string& name) {
  return *std::ranges::find_if(all, [&](const Named& one) { return one.name == name; });
}

struct Trace {
  std::string name;
  std::vector<codec::TraceRecord> requests;
  std::uint64_t distinct_bytes = 0;
};

std::vector<std::byte> read_file(const std::string& file) {
  std::vector<std::byte> bytes;
  if (file == "-") {
    if (const int error = read_all(STDIN_FILENO, bytes); error != 0) {
      throw Failure{Exit::failed, fmt::format("cannot read standard input: {}", std::strerror(error)), ""};
    }
    return bytes;
  }
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const int error = in.get() < 0 ? errno : read_all(in.get(), bytes);
  if (error != 0) {
    const Exit exit = error == ENOENT ? Exit::not_found : error == EACCES ? Exit::permission : Exit::failed;
    throw Failure{exit, fmt::format("cannot read {}: {}", printable(file), std::strerror(error)),
                  "name a trace, or - for standard input"};
  }
  return bytes;
}

Trace load(const std::string& file) {
  Result<std::vector<codec::TraceRecord>> requests = codec::decode_trace(read_file(file));
  if (!requests) {
    Failure failure = failure_of(requests.error());
    failure.what = fmt::format("{}: {}", printable(file), failure.what);
    throw failure;
  }
  Trace trace{std::filesystem::path(file).filename().string(), *std::move(requests), 0};
  for (const std::string_view ending : {".zst", ".trace"}) {
    if (trace.name.ends_with(ending)) trace.name.erase(trace.name.size() - ending.size());
  }
  std::unordered_set<std::uint64_t> seen;
  for (const codec::TraceRecord& request : trace.requests) {
    if (seen.insert(request.key).second) trace.distinct_bytes += request.size;
  }
  return trace;
}

// What a run came to.
struct Outcome {
  std::uint64_t hits = 0;
  double bytes = 0;
  double bytes_hit = 0;
  double cost = 0;
  double cost_saved = 0;
};

template <class Update>
Outcome simulate(const Trace& trace, policy::Make make, std::uint64_t capacity, codec::CostModel model,
                 const Update& update) {
  constexpr std::size_t k_step = 1 << 16;
  policy::Shadow cache(make, capacity);
  Outcome outcome;
  for (std::size_t i = 0; i < trace.requests.size(); ++i) {
    const codec::TraceRecord& request = trace.requests[i];
    const double cost = codec::cost_of(request, model);
    const bool hit = cache.request({codec::fingerprint_of(request), request.size, cost});
    outcome.bytes += request.size;
    outcome.cost += cost;
    if (hit) {
      ++outcome.hits;
      outcome.bytes_hit += request.size;
      outcome.cost_saved += cost;
    }
    if (i % k_step == k_step - 1) update(k_step);
  }
  update(trace.requests.size() % k_step);
  return outcome;
}

std::optional<double> ratio(double part, double whole) {
  return whole > 0 ? std::optional(part / whole) : std::nullopt;
}

std::uint64_t parse_capacity(const std::string& text, const Trace& trace) {
  const Result<std::uint64_t> capacity = parse_size(text, trace.distinct_bytes);
  if (!capacity) throw failure_of(capacity.error());
  if (*capacity == 0) {
    throw Failure{Exit::usage,
                  fmt::format("a capacity of {} holds nothing of {}", printable(text), printable(trace.name)),
                  "larder help simulate"};
  }
  return *capacity;
}

int run(const Globals& globals, const SimulateOptions& options) {
  std::vector<Trace> traces;
  for (const std::string& file : options.files) traces.push_back(load(file));
  std::uint64_t all = 0;
  for (const Trace& trace : traces) {
    for (const std::string& capacity : options.capacities) parse_capacity(capacity, trace);
    all += trace.requests.size() * options.capacities.size() * options.policies.size();
  }
  const codec::CostModel model = find_named(k_costs, options.cost).model;
  nlohmann::json rows = nlohmann::json::array();
  std::string table = fmt::format("{:<20} {:<9} {:>14} {:>10} {:>10} {:>10}\n", "trace", "policy", "capacity", "hits",
                                  "byte hits", "cost saved");
  const auto cell = [](const std::optional<double>& value) { return value ? fmt::format("{:.4f}", *value) : "-"; };
  Progress progress(globals, options.progress);
  std::uint64_t done = 0;
  const auto update = [&](std::uint64_t more) { progress.update(done += more, all); };
  for (const Trace& trace : traces) {
    for (const std::string& text : options.capacities) {
      const std::uint64_t capacity = parse_capacity(text, trace);
      for (const std::string& name : options.policies) {
        const Outcome outcome = simulate(trace, find_named(k_policies, name).make, capacity, model, update);
        const auto requests = static_cast<double>(trace.requests.size());
        const double hit_ratio = static_cast<double>(outcome.hits) / requests;
        const std::optional<double> byte_hit_ratio = ratio(outcome.bytes_hit, outcome.bytes);
        const std::optional<double> saved = ratio(outcome.cost_saved, outcome.cost);
        rows.push_back({{"trace", trace.name},
                        {"policy", name},
                        {"capacity", capacity},
                        {"cost_model", options.cost},
                        {"requests", trace.requests.size()},
                        {"hits", outcome.hits},
                        {"hit_ratio", hit_ratio},
                        {"byte_hit_ratio", *byte_hit_ratio},
                        {"cost_saved_ratio", saved ? nlohmann::json(*saved) : nlohmann::json()}});
        table += fmt::format("{:<20} {:<9} {:>14} {:>10.4f} {:>10} {:>10}\n", printable(trace.name), name, capacity,
                             hit_ratio, cell(byte_hit_ratio), cell(saved));
      }
    }
  }
  if (globals.json) {
    print_json(rows);
  } else {
    print(table);
  }
  return 0;
}

}  // namespace

const Verb k_simulate = {
    "simulate", "[OPTION]... FILE...", "What a cache of some capacity would have saved of a trace's requests",
    "FILE is a trace, compressed with zstd or not, or - for standard input: 16 bytes a request, see\n"
    "docs/reference/trace-format.md. It is held in memory. The policies are those that run in the memory tier. A "
    "capacity\n"
    "is in bytes of values, as 64MiB, or as 10% a part of what all values of the trace take.\n\n"
    "Cost models: native (the trace's, in microseconds), prop (as the size), logn (log-normal, from the key),\n"
    "unit (1, so that what is saved are hits).\n\n"
    "Example:\n  larder simulate build.trace.zst --capacity 1%,10% --policy two-gate,lru",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<SimulateOptions>();
      verb.add_option("FILE", options->files, "traces")->required()->check(not_empty());
      verb.add_option("--policy", options->policies, "two-gate, s3-fifo, lru, or several of them [two-gate]")
          ->delimiter(',')
          ->check(CLI::IsMember(names_of(k_policies)));
      verb.add_option("--capacity", options->capacities, "of the cache: bytes, 64MiB, 10%, or several [1%,10%]")
          ->delimiter(',');
      verb.add_option("--cost", options->cost, "native, prop, logn or unit [native]")
          ->check(CLI::IsMember(names_of(k_costs)));
      verb.add_flag("--progress", options->progress, "tell on standard error, in JSON lines, how far it is");
      return [options](const Globals& globals) { return run(globals, *options); };
    }};

}  // namespace larder::tool
