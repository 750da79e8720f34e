// The experiments, and what they share.
#pragma once

#include <string>
#include <vector>

#include "harness/program.hpp"

namespace bench {

void throughput(Bench& bench);

// So many hits, or inserts that evict, and what it takes to get there, which does not depend on the count: for
// instructions.sh. Returns the exit code.
int count_operations(const std::string& operation, std::uint64_t count);

}  // namespace bench
