// What was measured on the traces, as a table for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <vector>

#include "harness/environment.hpp"
#include "row.hpp"

namespace bench {

// What the columns are.
void print_legend(unsigned threads);
// Above the rows of a trace.
void print_heading(const Cell& first, std::uint64_t requests, std::uint64_t entries, std::uint64_t bytes);
// As soon as it was measured. At its end stands what it falls short of.
void print(const Row& row);
// The means, what is worth knowing beside them, and the list of everything that falls short.
void print_summary(const std::vector<Row>& rows);

void write_json(const Environment& environment, unsigned threads, const std::vector<Row>& rows, std::ostream& out);

}  // namespace bench
