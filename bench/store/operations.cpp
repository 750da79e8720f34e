// Puts and gets, one after the other in each process, by one process and by eight at once.
//
// put: fresh keys into a store that was just made, opened before the clock starts. get: lookups in a store that another
// process filled and closed, uniform unless the row says zipf; each process has read everything once. Each turn is done
// by new processes. The clock is read around every operation; samples of all processes are thrown together.
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "harness/quiet.hpp"
#include "harness/timing.hpp"
#include "store_bench.hpp"

namespace bench {
namespace {

struct Size {
  SizeClass values;
  Rounds rounds;
};

constexpr std::uint64_t k_mib = std::uint64_t{1} << 20;
constexpr unsigned k_many = 8;

std::vector<Size> sizes(const Options& options) {
  if (options.quick) {
    return {{{"100B", 100, 500, 500, 200}, {0, 1}},       {{"1KiB", 1024, 500, 500, 200}, {0, 1}},
            {{"16KiB", 16 * 1024, 100, 100, 50}, {0, 1}}, {{"1MiB", k_mib, 4, 8, 4}, {0, 1}},
            {{"64MiB", 64 * k_mib, 1, 1, 1}, {0, 1}},     {{"1GiB", 1024 * k_mib, 1, 1, 1}, {0, 0}}};
  }
  const int n = options.repetitions;
  return {
      {{"100B", 100, 50'000, 20'000, 10'000}, {1, n}},       {{"1KiB", 1024, 50'000, 20'000, 10'000}, {1, n}},
      {{"16KiB", 16 * 1024, 4'000, 10'000, 2'000}, {1, n}},  {{"1MiB", k_mib, 64, 500, 64}, {1, n}},
      {{"64MiB", 64 * k_mib, 2, 8, 4}, {0, std::min(n, 3)}}, {{"1GiB", 1024 * k_mib, 1, 2, 1}, {0, std::min(n, 2)}}};
}

const std::vector<Metric> k_metrics = {
    {"ops/s", Better::higher}, {"p50 us"}, {"p99 us"}, {"p99.9 us"}, {"max us"}, {"disk/stored"}};

// Bytes that the files under the directory take.
double bytes_on_disk(const std::filesystem::path& directory) {
  double sum = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    if (lstat(entry.path().c_str(), &status) == 0) sum += 512 * static_cast<double>(status.st_blocks);
  }
  return sum;
}

std::vector<double> readings(const Measured& measured, double bytes_per_byte) {
  const auto us = [&](double q) { return static_cast<double>(quantile(measured.ns, q)) / 1e3; };
  return {
      static_cast<double>(measured.ns.size()) / measured.seconds, us(0.5), us(0.99), us(0.999), us(1), bytes_per_byte};
}

struct Row {
  Operation operation;
  Size size;
  unsigned processes;
  std::uint64_t pause_us = 0;
  Spread spread = Spread::uniform;

  [[nodiscard]] std::string name() const {
    return std::string(operation == Operation::put ? "put/" : "get/") + std::string(size.values.name) + "/" +
           (processes == 1 ? "1 process" : std::to_string(processes) + " processes") +
           (pause_us != 0 ? ", paced" : "") + (spread == Spread::zipf ? ", zipf" : "");
  }
  // What each process does.
  [[nodiscard]] std::uint64_t operations(const System& system) const {
    const bool put = operation == Operation::put;
    const std::uint64_t wanted = put ? size.values.puts : size.values.lookups;
    const std::uint64_t share = processes == 1 ? wanted : std::max<std::uint64_t>(wanted / 4, 1);
    return std::min(share, put ? system.puts_max : system.gets_max);
  }
  [[nodiscard]] std::uint64_t records(const System& system) const {
    return std::min(size.values.records, system.records_max);
  }
};

// Why the system has no row here; empty if it has.
std::string why_not(const Row& row, const System& system) {
  const bool put = row.operation == Operation::put;
  if (!system.missing.empty()) return system.missing;
  if (row.size.rounds.counted == 0) return "left out by --quick";
  if (!put && !system.no_gets.empty()) return system.no_gets;
  if (row.spread == Spread::zipf && system.python) return "the script asks uniformly only";
  if (put && system.only_paced && row.pause_us == 0) return "its queue would overflow; see put/1KiB/8 processes, paced";
  if (row.size.values.bytes > system.value_bytes_max) return "values have at most 1,000,000,000 bytes";
  if (put && system.one_writer && row.processes > 1) return "only one process can open the store to write";
  const double copies = put ? system.copies_put : system.copies_get;
  const double private_bytes = copies * row.processes * static_cast<double>(row.size.values.bytes);
  if (private_bytes > static_cast<double>(memory_bytes()) / 4) {
    return std::to_string(static_cast<int>(private_bytes / static_cast<double>(1024 * k_mib))) +
           " GiB in private memory of the processes";
  }
  return {};
}

std::vector<Work> works_of(const Row& row, const System& system, const Work& common) {
  std::vector<Work> works(row.processes, common);
  for (unsigned i = 0; i < row.processes; ++i) {
    works[i].operations = row.operations(system);
    works[i].first = i * row.operations(system);
    works[i].pause_us = row.pause_us;
    works[i].samples += "." + std::to_string(i);
  }
  return works;
}

class Measurement {
 public:
  explicit Measurement(Bench& bench, const std::vector<System>& systems, const Size& size)
      : bench_(bench),
        systems_(systems),
        scratch_(bench.directory() / "operations"),
        source_(scratch_.path() / "source") {
    std::vector<std::byte> value(size.values.bytes);
    fill_value(value, 1);
    std::ofstream out(source_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(value.data()), static_cast<std::streamsize>(value.size()));
    if (!out.flush()) throw std::runtime_error("cannot write " + source_.string());
  }

  void run(const Row& row) {
    if (!bench_.wants(row.name())) return;
    std::vector<Contender> contenders;
    std::vector<Skipped> skipped;
    for (const System& system : systems_) {
      if (std::string why = why_not(row, system); !why.empty()) {
        skipped.push_back({row.name(), system.name, std::move(why)});
      } else if (row.operation == Operation::put) {
        contenders.push_back({system.name, system.ours, [this, row, &system] { return time_puts(row, system); }});
      } else {
        add_gets(row, system, contenders);
      }
    }
    bench_.race_side_by_side(row.name(), words(row), k_metrics, contenders, skipped, row.size.rounds);
  }

 private:
  static std::string words(const Row& row) {
    const SizeClass& values = row.size.values;
    const System unbounded;
    std::string text = std::to_string(row.operations(unbounded)) + " by each process";
    if (row.operation == Operation::get) {
      text += ", of " + std::to_string(values.records) + " records written by another process";
    }
    if (row.pause_us != 0) text += ", who sleeps " + std::to_string(row.pause_us) + " us between two";
    return text + "; of slow systems fewer; " + std::to_string(row.size.rounds.counted) + " repetitions";
  }

  std::vector<double> time_puts(const Row& row, const System& system) {
    const Scratch scratch(scratch_.path() / "put");
    const std::filesystem::path directory = scratch.path() / "store";
    const std::uint64_t puts = row.processes * row.operations(system);
    const Setup setup{row.size.values.bytes, puts};
    std::filesystem::create_directory(directory);
    perform(system, {system.name, Operation::fill, directory, {setup.value_bytes, 0}});
    settle(directory);
    ready_memory(scratch.path(), setup.payload_bytes());
    Work work{system.name, Operation::put, directory, setup};
    work.source = source_;
    work.samples = scratch.path() / "samples";
    const Measured measured = measure(system, works_of(row, system, work));
    return readings(measured, bytes_on_disk(directory) / static_cast<double>(setup.payload_bytes()));
  }

  // The system's store, filled when it is first needed, and whether copies of its values are worth a row.
  void add_gets(const Row& row, const System& system, std::vector<Contender>& contenders) {
    const Setup setup{row.size.values.bytes, row.records(system)};
    const std::filesystem::path directory = scratch_.path() / ("get " + system.name);
    if (std::filesystem::create_directory(directory)) {
      perform(system, {system.name, Operation::fill, directory, setup});
    }
    const double per_byte = bytes_on_disk(directory) / static_cast<double>(setup.payload_bytes());
    for (const Access& access : system.accesses) {
      if (access.how == How::copy && system.accesses.size() > 1 && setup.value_bytes > k_mib) continue;
      Work work{system.name, Operation::get, directory, setup};
      work.setup.purpose = Purpose::read;
      work.how = access.how;
      work.spread = row.spread;
      work.samples = scratch_.path() / "samples";
      contenders.push_back({access.label, system.ours, [row, &system, work, per_byte] {
                              return readings(measure(system, works_of(row, system, work)), per_byte);
                            }});
    }
  }

  Bench& bench_;
  const std::vector<System>& systems_;
  const Scratch scratch_;
  const std::filesystem::path source_;
};

}  // namespace

void operations(Bench& bench, const std::vector<System>& systems) {
  for (const Size& size : sizes(bench.options())) {
    std::vector<Row> rows;
    for (const Operation operation : {Operation::get, Operation::put}) {
      for (const unsigned processes : {1U, k_many}) rows.push_back({operation, size, processes});
    }
    // Eight that never pause wait for two processors most of the time: what they wait for each other shows only
    // between pauses.
    if (size.values.name == "1KiB") {
      rows.push_back({Operation::put, size, k_many, 500});
      rows.push_back({Operation::get, size, 1, 0, Spread::zipf});
    }
    std::erase_if(rows, [&](const Row& row) { return !bench.wants(row.name()); });
    if (rows.empty()) continue;
    Measurement measurement(bench, systems, size);
    for (const Row& row : rows) measurement.run(row);
  }
}

}  // namespace bench
