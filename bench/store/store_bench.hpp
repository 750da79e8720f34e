// The experiments of larder_bench_store. See bench/README.md.
#pragma once

#include <filesystem>
#include <vector>

#include "harness/program.hpp"
#include "harness/scratch.hpp"
#include "systems.hpp"
#include "work.hpp"

namespace bench {

// Puts and gets: a row for each system, size, and number of processes.
void operations(Bench& bench, const std::vector<System>& systems);
// Opening stores that exist.
void reopen(Bench& bench, const std::vector<System>& systems);

}  // namespace bench
