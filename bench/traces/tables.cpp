#include "tables.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <string>
#include <utility>

#include "demands.hpp"
#include "harness/json.hpp"
#include "references.hpp"

namespace bench {
namespace {

unsigned long long wide(std::uint64_t number) {
  return number;
}

std::string name_of(const Cell& cell) {
  return cell.trace + " at " + std::to_string(cell.capacity) + ", " + cell.model;
}

std::string reached_of(const Demand& demand) {
  char text[96];
  std::snprintf(text, sizeof text, "%.4f, %s %.4f", demand.reached,
                demand.bound == Bound::at_least ? "at least" : "at most", demand.limit);
  return text;
}

// How far a policy of the tier is from the same one among the references, which was run by another program.
void print_agreement(const std::vector<Row>& rows, const char* policy, const char* reference) {
  double sum = 0;
  double most = 0;
  int cells = 0;
  const Row* at = nullptr;
  for (const Row& row : rows) {
    const auto there = row.references.find(reference);
    if (there == row.references.end()) continue;
    const double differs = std::abs(row.measured.at(policy).cost_saved - there->second.cost_saved);
    ++cells;
    sum += differs;
    if (at == nullptr || differs > most) most = differs, at = &row;
  }
  if (at == nullptr) return;
  std::printf("%s and the reference's %s differ by %.4f in the mean over %d cells, by %.4f at most (%s)\n", policy,
              reference, sum / cells, cells, most, name_of(at->cell).c_str());
}

// Bytes are not what the policy is told to save, unless costs are proportional to them: nothing is demanded.
void print_byte_hit_ratios(const std::vector<Row>& rows) {
  for (const char* model : {"unit", "prop"}) {
    double ours = 0;
    double reference = 0;
    double s3_fifo = 0;
    int cells = 0;
    for (const Row& row : rows) {
      if (row.cell.model != model) continue;
      ++cells;
      ours += row.measured.at(k_two_gate).byte_hit;
      reference += row.references.at("twogate").byte_hit;
      s3_fifo += row.measured.at(k_s3_fifo).byte_hit;
    }
    if (cells == 0) continue;
    std::printf("byte hit ratio, mean over %d cells of the model %s: two-gate %.4f, twogate %.4f, s3-fifo %.4f\n",
                cells, model, ours / cells, reference / cells, s3_fifo / cells);
  }
}

void print_lost_to_threads(const std::vector<Row>& rows) {
  constexpr double k_much = 0.005;
  double sum = 0;
  double most = -1;
  int much = 0;
  const Row* at = nullptr;
  for (const Row& row : rows) {
    const double lost = row.measured.at(k_two_gate).cost_saved - row.measured.at(k_two_gate_threads).cost_saved;
    sum += lost;
    if (lost > k_much) ++much;
    if (lost > most) most = lost, at = &row;
  }
  std::printf("many threads lose %.4f in the mean over %zu cells, more than %.3f in %d, %.4f at most (%s)\n",
              sum / static_cast<double>(rows.size()), rows.size(), k_much, much, most, name_of(at->cell).c_str());
}

void print_furthest_from_best(std::vector<Row> rows) {
  constexpr std::size_t k_shown = 10;
  std::erase_if(rows, [](const Row& row) { return !is_large(row); });
  std::ranges::sort(rows, std::greater(), behind_best);
  std::printf("\nfurthest from the best practical policy, of %zu cells with at least 200 entries and 20000 requests:\n",
              rows.size());
  for (std::size_t i = 0; i < std::min(rows.size(), k_shown); ++i) {
    const Best best = best_practical(rows[i].references);
    std::printf("  %.4f  %s: %.4f, %s %.4f\n", behind_best(rows[i]), name_of(rows[i].cell).c_str(),
                rows[i].measured.at(k_two_gate).cost_saved, best.policy.c_str(), best.cost_saved);
  }
}

void print_short(const std::string& where, const Demand& demand) {
  std::printf("  %s: %s: %s; short by %.4f\n", where.c_str(), demand.what.c_str(), reached_of(demand).c_str(),
              demand.short_by());
}

std::string json(const Ratios& ratios) {
  return "[" + json_number(ratios.hit) + ", " + json_number(ratios.byte_hit) + ", " + json_number(ratios.cost_saved) +
         "]";
}

std::string json(const ByPolicy& by_policy) {
  std::string text = "{";
  const char* separator = "";
  for (const auto& [policy, ratios] : by_policy) {
    text += std::exchange(separator, ", ") + json_text(policy) + ": " + json(ratios);
  }
  return text + "}";
}

std::string json(const Demand& demand) {
  std::string text = "{\"mark\": " + json_text(demand.mark) + ", \"what\": " + json_text(demand.what) +
                     ", \"reached\": " + json_number(demand.reached) +
                     (demand.bound == Bound::at_least ? ", \"at_least\": " : ", \"at_most\": ") +
                     json_number(demand.limit) + ", \"falls_short\": " + (demand.falls_short() ? "true" : "false") +
                     ", \"beside\": {";
  const char* separator = "";
  for (const auto& [name, figure] : demand.beside) {
    text += std::exchange(separator, ", ") + json_text(name) + ": " + json_number(figure);
  }
  return text + "}}";
}

std::string json(const Row& row) {
  const Best best = best_practical(row.references);
  std::string text =
      "{\"trace\": " + json_text(row.cell.trace) + ", \"capacity\": " + std::to_string(row.cell.capacity) +
      ", \"model\": " + json_text(row.cell.model) + ", \"requests\": " + std::to_string(row.requests) +
      ", \"entries\": " + json_number(row.entries) + ", \"per_mille\": " + std::to_string(row.per_mille) +
      ",\n     \"best\": " + json_text(best.policy) + ", \"measured\": " + json(row.measured) +
      ",\n     \"references\": " + json(row.references) + ",\n     \"falls_short\": [";
  const char* separator = "";
  for (const Demand& demand : demands(row)) {
    if (demand.falls_short()) text += std::exchange(separator, ", ") + json(demand);
  }
  return text + "]}";
}

}  // namespace

void print_legend(unsigned threads) {
  std::printf(
      "\nA row for each capacity, which is so large a part of the bytes of all values and holds so many entries of "
      "mean\n"
      "size, and for each model of costs (docs/reference/trace-format.md).\n"
      "  saved, s3-fifo, lru     costs of hits / costs of all requests, of the memory tier with two-gate, s3-fifo and "
      "lru and\n"
      "                          one thread; where costs are `unit` that is the hit ratio\n"
      "  threads                 the same of two-gate with %u threads\n"
      "  twogate, best, behind   the same of its reference implementation and of the best policy among the references "
      "that\n"
      "                          does not know the future; how far saved is below that\n"
      "  hits, bytes             hit ratio and byte hit ratio of two-gate, s3-fifo and lru with one thread\n"
      "  falls short of          what is demanded and not reached; by how much is at the end\n",
      threads);
}

void print_heading(const Cell& first, std::uint64_t requests, std::uint64_t entries, std::uint64_t bytes) {
  std::printf("\n%s: %llu requests for %llu values of %llu bytes\n", first.trace.c_str(), wide(requests), wide(entries),
              wide(bytes));
  std::printf("%6s %12s %8s %-6s | %8s %8s %8s %8s | %8s %8s %8s %-12s | %8s %8s %8s | %8s %8s %8s | %s\n", "part",
              "capacity", "entries", "costs", "saved", "threads", "s3-fifo", "lru", "twogate", "best", "behind", "",
              "hits", "s3-fifo", "lru", "bytes", "s3-fifo", "lru", "falls short of");
}

void print(const Row& row) {
  const Ratios& ours = row.measured.at(k_two_gate);
  const Ratios& s3_fifo = row.measured.at(k_s3_fifo);
  const Ratios& lru = row.measured.at(k_lru);
  const Best best = best_practical(row.references);
  std::string marks;
  for (const Demand& demand : demands(row)) {
    if (demand.falls_short()) marks += (marks.empty() ? " " : ", ") + demand.mark;
  }
  std::printf(
      "%5.1f%% %12llu %8.0f %-6s | %8.4f %8.4f %8.4f %8.4f | %8.4f %8.4f %8.4f %-12s | %8.4f %8.4f %8.4f | %8.4f %8.4f "
      "%8.4f |%s\n",
      row.per_mille / 10.0, wide(row.cell.capacity), row.entries, row.cell.model.c_str(), ours.cost_saved,
      row.measured.at(k_two_gate_threads).cost_saved, s3_fifo.cost_saved, lru.cost_saved,
      row.references.at("twogate").cost_saved, best.cost_saved, behind_best(row), best.policy.c_str(), ours.hit,
      s3_fifo.hit, lru.hit, ours.byte_hit, s3_fifo.byte_hit, lru.byte_hit, marks.c_str());
  std::fflush(stdout);
}

void print_summary(const std::vector<Row>& rows) {
  std::printf("\nmeans\n");
  for (const Demand& demand : demands(rows)) {
    std::printf("  %s: %s%s\n", demand.what.c_str(), reached_of(demand).c_str(),
                demand.falls_short() ? "  FALLS SHORT" : "");
    const char* separator = "    beside: ";
    for (const auto& [name, figure] : demand.beside) {
      std::printf("%s%s %.4f", std::exchange(separator, ", "), name.c_str(), figure);
    }
    std::printf("\n");
  }
  print_furthest_from_best(rows);
  std::printf("\n");
  print_lost_to_threads(rows);
  print_byte_hit_ratios(rows);
  print_agreement(rows, k_s3_fifo, "s3fifo-1");
  print_agreement(rows, k_lru, "lru");
  std::printf("\nfalls short:\n");
  for (const Row& row : rows) {
    for (const Demand& demand : demands(row)) {
      if (demand.falls_short()) print_short(name_of(row.cell), demand);
    }
  }
  for (const Demand& demand : demands(rows)) {
    if (demand.falls_short()) print_short("all", demand);
  }
}

void write_json(const Environment& environment, unsigned threads, const std::vector<Row>& rows, std::ostream& out) {
  out << "{\n  \"program\": \"larder_bench_traces\",\n  \"environment\": ";
  write_facts(environment, out);
  out << ",\n  \"threads\": " << threads << ",\n  \"figures\": [\"hit_ratio\", \"byte_hit_ratio\", "
      << "\"cost_saved_ratio\"],\n  \"cells\": [";
  const char* separator = "\n    ";
  for (const Row& row : rows) out << std::exchange(separator, ",\n    ") << json(row);
  out << "\n  ],\n  \"means\": [";
  separator = "\n    ";
  for (const Demand& demand : demands(rows)) out << std::exchange(separator, ",\n    ") << json(demand);
  out << "\n  ]\n}\n";
}

}  // namespace bench
