// larder_bench_micro: small questions with numbers for answers. See bench/README.md.
#include <unistd.h>
#include <charconv>
#include <csignal>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>

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

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto argument = [&]() -> const std::string& {
      if (i + 1 == words.size()) throw std::invalid_argument(word + " needs an argument");
      return words[++i];
    };
    if (word == "--help") {
      options.help = true;
    } else if (word == "--quick") {
      options.quick = true;
    } else if (word == "--large") {
      options.large = true;
    } else if (word == "--only") {
      options.only = argument();
    } else if (word == "--dir") {
      options.directory = argument();
    } else if (word == "--json") {
      options.json = argument();
    } else if (word == "--repetitions") {
      const std::string& text = argument();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), options.repetitions);
      if (error != std::errc{} || end != text.data() + text.size() || options.repetitions < 1) {
        throw std::invalid_argument("--repetitions needs a number from 1 on, not " + text);
      }
    } else {
      throw std::invalid_argument(word + " is no option; --help lists them");
    }
  }
  return options;
}

int run(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == "--role") return play_role({words.begin() + 1, words.end()});
  const Options options = parse(words);
  if (options.help) {
    std::cout << k_help;
    return 0;
  }
  const Scratch scratch(options.directory / ("larder-bench-" + std::to_string(getpid())));
  const std::uint64_t needed = std::uint64_t{options.quick ? 1U : options.large ? 16U : 8U} << 30;
  if (std::filesystem::space(scratch.path()).available < needed) {
    throw std::runtime_error("less than " + std::to_string(needed >> 30) + " GiB are free in " +
                             options.directory.string() + "; choose another --dir");
  }
  Environment environment = describe(argc, argv, scratch.path(), options.repetitions);
  for (auto& fact : peer_configurations()) environment.facts.push_back(std::move(fact));
  Report report(std::move(environment));
  report.start(std::cout);
  Bench bench(options, report, scratch.path());
  memory_hit(bench);
  store_hit(bench);
  store_hit_huge(bench);
  put(bench);
  reopen(bench);
  if (!options.json.empty()) {
    std::ofstream out(options.json);
    report.write_json(out);
    if (!out.flush()) throw std::runtime_error("cannot write " + options.json.string());
  }
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a child that died is an exception with a message
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "larder_bench_micro: " << error.what() << "\n";
    return 1;
  }
}
