#include "harness/report.hpp"

#include <cmath>
#include <cstdio>
#include <iomanip>
#include <ostream>
#include <utility>

#include "harness/json.hpp"

namespace bench {
namespace {

// About three significant digits: enough for a table, the JSON has the rest.
std::string short_number(double value) {
  if (!std::isfinite(value)) return "-";  // a ratio to nothing
  const double size = std::abs(value);
  char text[32];
  if (size > 0 && size < 0.001) {
    std::snprintf(text, sizeof(text), "%.1e", value);
  } else {
    std::snprintf(text, sizeof(text), "%.*f", size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3, value);
  }
  return text;
}

bool better(const Table& table, double a, double b) {
  return table.metric.better == Better::lower ? a < b : a > b;
}

std::string json(const Summary& summary) {
  return "{\"median\": " + json_number(summary.median) + ", \"min\": " + json_number(summary.min) +
         ", \"max\": " + json_number(summary.max) + "}";
}

void write_json(const Table& table, std::ostream& out) {
  out << "    {\"experiment\": " << json_text(table.experiment) << ", \"ran\": " << json_text(table.ran)
      << ",\n     \"metric\": " << json_text(table.metric.name)
      << ", \"better\": " << (table.metric.better == Better::lower ? "\"lower\"" : "\"higher\"") << ", \"series\": [";
  const char* separator = "\n";
  for (const Series& series : table.series) {
    out << std::exchange(separator, ",\n") << "       {\"contender\": " << json_text(series.contender)
        << ", \"ours\": " << (series.ours ? "true" : "false")
        << ", \"best_peer\": " << (&series == table.best_peer() ? "true" : "false")
        << ", \"summary\": " << json(summarize(series.readings));
    if (const Series* reference = table.reference(); reference != nullptr && reference != &series) {
      out << ", \"larder_over_this\": " << json(summarize(ratios(reference->readings, series.readings)));
    }
    out << ", \"readings\": [";
    const char* comma = "";
    for (const double reading : series.readings) out << std::exchange(comma, ", ") << json_number(reading);
    out << "]}";
  }
  out << "]}";
}

void print(const Table& table, std::ostream& out) {
  out << "\n"
      << table.experiment << ": " << table.metric.name << ", "
      << (table.metric.better == Better::lower ? "lower" : "higher") << " is better\n  (" << table.ran << ")\n"
      << std::left << std::setw(26) << "" << std::right << std::setw(11) << "median" << std::setw(11) << "min"
      << std::setw(11) << "max"
      << "   larder / this\n";
  for (const Series& series : table.series) {
    const Summary summary = summarize(series.readings);
    out << "  " << std::left << std::setw(24) << series.contender << std::right << std::setw(11)
        << short_number(summary.median) << std::setw(11) << short_number(summary.min) << std::setw(11)
        << short_number(summary.max);
    if (const Series* reference = table.reference(); reference != nullptr && reference != &series) {
      const Summary ratio = summarize(ratios(reference->readings, series.readings));
      out << "   " << short_number(ratio.median) << " (" << short_number(ratio.min) << " ... "
          << short_number(ratio.max) << ")" << (&series == table.best_peer() ? "  best peer" : "");
    }
    out << "\n";
  }
  out << std::flush;
}

// "12.3 ±4%": the median, and half the distance of the least and the greatest reading.
std::string with_spread(const Summary& summary) {
  std::string text = short_number(summary.median);
  if (summary.median > 0 && summary.max > summary.min) {
    char spread[32];
    std::snprintf(spread, sizeof(spread), " ±%.0f%%", 50 * (summary.max - summary.min) / summary.median);
    text += spread;
  }
  return text;
}

// Right-aligned in a column of `width`; "±" is one character of two bytes.
void print_cell(const std::string& text, int width, std::ostream& out) {
  const bool spread = text.find("±") != std::string::npos;
  out << std::right << std::setw(width + (spread ? 1 : 0)) << text;
}

constexpr int k_name_width = 26;
constexpr int k_cell_width = 16;

void print_side_by_side(const std::vector<Table>& metrics, const std::vector<Skipped>& skipped, std::ostream& out) {
  const Table& first = metrics.front();
  out << "\n" << first.experiment << "\n  (" << first.ran << ")\n" << std::left << std::setw(k_name_width) << "";
  for (const Table& table : metrics) print_cell(table.metric.name, k_cell_width, out);
  out << "\n";
  for (std::size_t i = 0; i < first.series.size(); ++i) {
    out << "  " << std::left << std::setw(k_name_width - 2) << first.series[i].contender;
    for (const Table& table : metrics) print_cell(with_spread(summarize(table.series[i].readings)), k_cell_width, out);
    out << "\n";
  }
  for (const Skipped& one : skipped) {
    out << "  " << std::left << std::setw(k_name_width - 2) << one.contender << "  not run: " << one.why << "\n";
  }
  out << std::flush;
}

}  // namespace

const Series* Table::reference() const {
  for (const Series& one : series) {
    if (one.ours) return &one;
  }
  return nullptr;
}

const Series* Table::best_peer() const {
  const Series* best = nullptr;
  for (const Series& one : series) {
    if (one.ours) continue;
    if (best == nullptr || better(*this, summarize(one.readings).median, summarize(best->readings).median)) {
      best = &one;
    }
  }
  return best;
}

void Report::start(std::ostream& out) const {
  print_facts(environment_, out);
  out << "Figures are medians of " << environment_.repetitions
      << " interleaved repetitions (or as many as a table says) with the least and the greatest, or half of their "
         "distance in\npercent; \"larder / this\" is the median (least ... greatest) of the ratios taken repetition "
         "by repetition.\n"
      << std::flush;
}

void Report::add(Table table, std::ostream& out) {
  print(table, out);
  tables_.push_back(std::move(table));
}

void Report::add_side_by_side(std::vector<Table> metrics, const std::vector<Skipped>& skipped, std::ostream& out) {
  print_side_by_side(metrics, skipped, out);
  for (Table& table : metrics) tables_.push_back(std::move(table));
  skipped_.insert(skipped_.end(), skipped.begin(), skipped.end());
}

void Report::skip(Skipped skipped, std::ostream& out) {
  out << "\n" << skipped.experiment << ": " << skipped.contender << " not run: " << skipped.why << "\n";
  skipped_.push_back(std::move(skipped));
}

void Report::write_json(std::ostream& out) const {
  out << "{\n  \"program\": " << json_text(program_) << ",\n  \"repetitions\": " << environment_.repetitions
      << ",\n  \"environment\": ";
  write_facts(environment_, out);
  out << ",\n  \"skipped\": [";
  const char* separator = "\n";
  for (const Skipped& one : skipped_) {
    out << std::exchange(separator, ",\n") << "    {\"experiment\": " << json_text(one.experiment)
        << ", \"contender\": " << json_text(one.contender) << ", \"why\": " << json_text(one.why) << "}";
  }
  out << "\n  ],\n  \"results\": [";
  separator = "\n";
  for (const Table& table : tables_) {
    out << std::exchange(separator, ",\n");
    bench::write_json(table, out);
  }
  out << "\n  ]\n}\n";
}

}  // namespace bench
