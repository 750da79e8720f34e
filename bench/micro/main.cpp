// larder_bench_micro: small questions with numbers for answers. See bench/README.md.
#include "micro/micro.hpp"

namespace bench {

std::vector<SizeClass> size_classes(const Options& options) {
  if (options.quick) {
    return {{"100B", 100, 2'000, 2'000, 500},
            {"1KiB", 1024, 2'000, 2'000, 500},
            {"16KiB", 16 * 1024, 200, 200, 50},
            {"1MiB", 1024 * 1024, 8, 8, 4}};
  }
  const std::uint64_t small = options.large ? 1'000'000 : 200'000;
  return {{"100B", 100, small, 20'000, 10'000},
          {"1KiB", 1024, small, 20'000, 10'000},
          {"16KiB", 16 * 1024, 20'000, 20'000, 2'000},
          {"1MiB", 1024 * 1024, 1'000, 500, 128}};
}

SizeClass huge_class(const Options& options) {
  if (options.quick) return {"64MiB", std::uint64_t{64} << 20, 1, 1, 1};
  return {"1GiB", std::uint64_t{1} << 30, 1, 1, 1};
}

namespace {

constexpr const char* k_help =
    R"(larder_bench_micro: larder and its peers, measured in one run, interleaved

  --only TEXT        run experiments whose name contains TEXT: memory_hit/{hot,zipf,uniform}/...,
                     store_hit/{100B,1KiB,16KiB,1MiB,1GiB}, put/{same sizes}, reopen/{closed,killed}
  --repetitions N    readings of each contender (default 7); one more is taken first and dropped
  --dir DIR          where the stores are made and removed again (default /var/tmp); needs 8 GiB
  --json FILE        write everything that was measured to FILE
  --quick            small stores, 64 MiB instead of 1 GiB: shows that it runs, measures little
  --large            1,000,000 records of 100 B and 1 KiB, and for reopen; needs 16 GiB
  --help
)";

std::uint64_t gib_needed(const Options& options) {
  return options.quick ? 1 : options.large ? 16 : 8;
}

void run(Bench& bench) {
  memory_hit(bench);
  store_hit(bench);
  store_hit_huge(bench);
  put(bench);
  reopen(bench);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  return run_program(argc, argv,
                     {.name = "larder_bench_micro",
                      .help = k_help,
                      .repetitions = 7,
                      .has_large = true,
                      .gib_needed = gib_needed,
                      .facts = peer_configurations,
                      .run = run,
                      .play_role = play_role});
}
