// larder_bench_memory: what the memory tier costs in time and room, beside its peers. See bench/README.md.
#include <exception>
#include <iostream>

#include "memory/memory_bench.hpp"

namespace {

constexpr const char* k_help =
    R"(larder_bench_memory: larder's memory tier and its peers, measured in one run, interleaved

  --only TEXT        run experiments whose name contains TEXT: {hit,insert,miss+insert,mixed,hot key}/
                     {8B id,16B text}/{1 thread,threads}, miss/uncontended, recursion/A -> B -> A, waiters/one key,
                     hit ratio/zipf, limit/64 writers, overhead/{1M,20M} entries
  --repetitions N    readings of each contender (default 7); one more is taken first and dropped
  --dir DIR          named in the report, and nothing else: all is in memory
  --json FILE        write everything that was measured to FILE
  --quick            few entries: shows that it runs, measures little
  --count OPERATION N   instead of all that: N hits or inserts, see bench/memory/instructions.sh
  --help
)";

void run(bench::Bench& bench) {
  throughput(bench);
  flights(bench);
  waiters(bench);
  hit_ratio(bench);
  limit(bench);
  overhead(bench);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bench;
  if (argc == 4 && std::string(argv[1]) == "--count") {
    try {
      return count_operations(argv[2], std::stoull(argv[3]));
    } catch (const std::exception& error) {
      std::cerr << "larder_bench_memory: " << error.what() << "\n";
      return 1;
    }
  }
  return run_program(argc, argv,
                     {.name = "larder_bench_memory",
                      .help = k_help,
                      .repetitions = 7,
                      .gib_needed = [](const Options&) { return std::uint64_t{0}; },
                      .facts = [] { return std::vector<std::pair<std::string, std::string>>(); },
                      .run = run,
                      .play_role = play_role});
}
