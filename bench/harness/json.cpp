#include "harness/json.hpp"

#include <cmath>
#include <cstdio>
#include <iomanip>
#include <ostream>
#include <utility>

namespace bench {

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
      result += escape;
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

void write_facts(const Environment& environment, std::ostream& out) {
  out << "{";
  const char* separator = "\n";
  for (const auto& [name, fact] : environment.facts) {
    out << std::exchange(separator, ",\n") << "    " << json_text(name) << ": " << json_text(fact);
  }
  out << "\n  }";
}

void print_facts(const Environment& environment, std::ostream& out) {
  for (const auto& [name, fact] : environment.facts) out << std::left << std::setw(26) << name << fact << "\n";
}

}  // namespace bench
