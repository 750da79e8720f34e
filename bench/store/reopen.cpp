// Opening a store that exists, up to the first value got from it: after its writer closed it; after a writer was killed
// that had opened it and put more; and after a loss of power, which only larder can be made to believe in: it sees
// another boot id in its control file than the machine's, and so trusts nothing but its segments and its journal.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "harness/quiet.hpp"
#include "peers/uses.hpp"
#include "store_bench.hpp"

namespace bench {
namespace {

struct Scale {
  std::string name;
  Setup setup;
  bool all;  // otherwise larder and LMDB only: filling the others takes many minutes
};

std::vector<Scale> scales(const Options& options) {
  const std::uint64_t records = options.quick ? 2'000 : 1'000'000;
  return {{"1GiB", {1024, records, Purpose::survive_kill}, true},
          {"10GiB", {10 * 1024, records, Purpose::survive_kill}, false}};
}

// As if the machine had restarted since: see docs/internals/store-format.md.
void forget_boot(const std::filesystem::path& directory) {
  constexpr std::streamoff k_boot_id_offset = 64;
  std::fstream control(directory / "v1" / "control", std::ios::in | std::ios::out | std::ios::binary);
  control.seekg(k_boot_id_offset);
  const int byte = control.get();
  control.seekp(k_boot_id_offset);
  control.put(static_cast<char>(byte ^ 1));
  if (!control.flush()) throw std::runtime_error("cannot change the boot id of " + directory.string());
}

// Takes the files out of the page cache.
void chill(const std::filesystem::path& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), entry.path().string());
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

struct Case {
  std::string name;
  std::string what;
  bool killed = false;
  bool power = false;
  bool cold = false;
};

const std::vector<Case> k_cases = {
    {"closed", "its writer closed it, page cache warm"},
    {"killed", "a writer was killed that had put 1000 records more, page cache warm", true},
    {"power cut, warm", "as killed, then another boot id", true, true},
    {"power cut, cold", "as killed, then another boot id, nothing in the page cache", true, true, true},
};

template <class P>
std::vector<double> time_case(const Case& one, const System& system, const std::filesystem::path& directory,
                              const Setup& setup) {
  constexpr std::uint64_t k_more = 1'000;
  Setup more = setup;
  more.records += k_more;
  if (one.killed) kill_writer(system, directory, more, setup.records);
  if (one.power) forget_boot(directory);
  if (one.cold) chill(directory);
  std::vector<double> readings = time_open<P>(directory, more);
  readings.front() /= 1e3;
  return readings;
}

void reopen(Bench& bench, const std::vector<System>& systems, const Scale& scale) {
  const auto name = [&](const Case& one) { return "reopen/" + scale.name + "/" + one.name; };
  if (std::ranges::none_of(k_cases, [&](const Case& one) { return bench.wants(name(one)); })) return;
  const Scratch scratch(bench.directory() / "reopen");
  std::vector<std::vector<Contender>> contenders(k_cases.size());
  std::vector<std::vector<Skipped>> skipped(k_cases.size());
  for_each_of<Larder, Lmdb, RocksDbPoints, Sqlite>([&]<class P>(std::type_identity<P>) {
    const auto system = std::ranges::find(systems, P::k_name, &System::name);
    const bool left_out = !scale.all && !is_larder<P> && !std::is_same_v<P, Lmdb>;
    const std::filesystem::path directory = scratch.path() / P::k_name;
    if (!left_out) perform(*system, {system->name, Operation::fill, directory, scale.setup});
    if (!left_out) settle(directory);
    for (std::size_t i = 0; i < k_cases.size(); ++i) {
      const Case& one = k_cases[i];
      if (left_out) {
        skipped[i].push_back({name(one), P::k_name, "filling it takes minutes; see reopen/1GiB"});
      } else if (one.power && !is_larder<P>) {
        skipped[i].push_back({name(one), P::k_name, "keeps nothing for one boot only; see killed"});
      } else {
        contenders[i].push_back({P::k_name, is_larder<P>,
                                 [=, &one, &scale] { return time_case<P>(one, *system, directory, scale.setup); }});
      }
    }
  });
  for (std::size_t i = 0; i < k_cases.size(); ++i) {
    const Case& one = k_cases[i];
    if (!bench.wants(name(one))) continue;
    bench.race_side_by_side(name(one),
                            std::to_string(scale.setup.records) + " records of " +
                                std::to_string(scale.setup.value_bytes) + " bytes; " + one.what,
                            {{"ms to first get"}}, contenders[i], skipped[i], {1, bench.options().repetitions});
  }
}

}  // namespace

void reopen(Bench& bench, const std::vector<System>& systems) {
  for (const Scale& scale : scales(bench.options())) reopen(bench, systems, scale);
}

}  // namespace bench
