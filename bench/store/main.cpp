// larder_bench_store: larder and its peers on disk, in one run: what a value of each size costs, in one process and in
// eight, and how long a store takes to open. See bench/README.md.
#include "store_bench.hpp"

namespace bench {
namespace {

constexpr const char* k_help =
    R"(larder_bench_store: larder and its peers on disk, measured in one run, interleaved

  --only TEXT        run experiments whose name contains TEXT: get/{100B,1KiB,16KiB,1MiB,64MiB,1GiB}/{1,8} process...,
                     put/{same}/{1,8} process..., get/1KiB/1 process, zipf,
                     put/1KiB/8 processes, paced, reopen/{1GiB,10GiB}/{closed,...}
  --repetitions N    readings of each contender (default 3); of large values fewer are taken
  --dir DIR          where the stores are made and removed again (default /var/tmp); needs 48 GiB
  --json FILE        write everything that was measured to FILE
  --quick            little of everything: shows that it runs, measures little
  --help
)";

std::vector<std::pair<std::string, std::string>> facts() {
  std::vector<std::pair<std::string, std::string>> result;
  for (const System& system : systems()) {
    result.emplace_back("system " + system.name, system.missing.empty() ? system.configuration : system.missing);
  }
  return result;
}

void run(Bench& bench) {
  const std::vector<System> all = systems();
  operations(bench, all);
  reopen(bench, all);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  return run_program(argc, argv,
                     {.name = "larder_bench_store",
                      .help = k_help,
                      .repetitions = 3,
                      .gib_needed = [](const Options& options) { return options.quick ? 8U : 48U; },
                      .facts = facts,
                      .run = run,
                      .play_role = play_role});
}
