// The experiments, and what they share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/program.hpp"

namespace bench {

void throughput(Bench& bench);
void overhead(Bench& bench);
void hit_ratio(Bench& bench);
void limit(Bench& bench);
void flights(Bench& bench);
void waiters(Bench& bench);

// The role of a child process that overhead() starts: prints the bytes that it counted. Returns the exit code.
int play_role(const std::vector<std::string>& arguments);

// So many hits, or inserts that evict, and what it takes to get there, which does not depend on the count: for
// instructions.sh. Prints how many entries were evicted. Returns the exit code.
int count_operations(const std::string& operation, std::uint64_t count);

}  // namespace bench
