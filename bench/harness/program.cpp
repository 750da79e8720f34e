#include "harness/program.hpp"

#include <unistd.h>
#include <charconv>
#include <csignal>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "harness/scratch.hpp"
#include "harness/timing.hpp"

namespace bench {
namespace {

Options parse(const std::vector<std::string>& words, const Program& program) {
  Options options;
  options.repetitions = program.repetitions;
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
    } else if (word == "--large" && program.has_large) {
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

int run(int argc, char** argv, const Program& program) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == "--role") return program.play_role({words.begin() + 1, words.end()});
  const Options options = parse(words, program);
  if (options.help) {
    std::cout << program.help;
    return 0;
  }
  const Scratch scratch(options.directory / ("larder-bench-" + std::to_string(getpid())));
  const std::uint64_t needed = program.gib_needed(options);
  if (std::filesystem::space(scratch.path()).available < needed << 30) {
    throw std::runtime_error("less than " + std::to_string(needed) + " GiB are free in " + options.directory.string() +
                             "; choose another --dir");
  }
  Environment environment = describe(argc, argv, scratch.path(), options.repetitions);
  environment.facts.emplace_back("timer overhead",
                                 std::to_string(timer_overhead_ns()) + " ns, included in p50 and p99");
  for (auto& fact : program.facts()) environment.facts.push_back(std::move(fact));
  Report report(program.name, std::move(environment));
  report.start(std::cout);
  Bench bench(options, report, scratch.path());
  program.run(bench);
  if (!options.json.empty()) {
    std::ofstream out(options.json);
    report.write_json(out);
    if (!out.flush()) throw std::runtime_error("cannot write " + options.json.string());
  }
  return 0;
}

}  // namespace

void Bench::race(const std::string& experiment, const std::string& ran, const std::vector<Metric>& metrics,
                 const std::vector<Contender>& contenders) {
  for (Table& table : bench::race(experiment, ran, metrics, contenders, {1, options_.repetitions})) {
    report_.add(std::move(table), std::cout);
  }
}

void Bench::race_side_by_side(const std::string& experiment, const std::string& ran, const std::vector<Metric>& metrics,
                              const std::vector<Contender>& contenders, const std::vector<Skipped>& skipped,
                              const Rounds& rounds) {
  report_.add_side_by_side(bench::race(experiment, ran, metrics, contenders, rounds), skipped, std::cout);
}

void Bench::skip(const std::string& experiment, const std::string& contender, const std::string& why) {
  report_.skip({experiment, contender, why}, std::cout);
}

int run_program(int argc, char** argv, const Program& program) {
  std::signal(SIGPIPE, SIG_IGN);  // a child that died is an exception with a message
  try {
    return run(argc, argv, program);
  } catch (const std::exception& error) {
    std::cerr << program.name << ": " << error.what() << "\n";
    return 1;
  }
}

}  // namespace bench
