// What is written as JSON, and as the heading of a report, by every program here.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "harness/environment.hpp"

namespace bench {

// In quotes, with what has to be escaped.
[[nodiscard]] std::string json_text(std::string_view text);
// null if it is not finite.
[[nodiscard]] std::string json_number(double value);
// The facts as an object, indented as the value of a member of the outermost one.
void write_facts(const Environment& environment, std::ostream& out);
// The facts, a line each.
void print_facts(const Environment& environment, std::ostream& out);

}  // namespace bench
