// Opening a store that exists, up to the first value got from it: after its writer closed it, and after its writer
// was killed with SIGKILL right after the last put.
//
// The page cache is warm in both cases. RocksDB writes its log here, or the kill would lose everything.
#include <stdexcept>

#include "micro/micro.hpp"
#include "peers/uses.hpp"

namespace bench {
namespace {

template <class P>
std::vector<double> time_open_after_kill(const std::filesystem::path& directory, const Setup& setup) {
  const Scratch scratch(directory);
  Child writer(fill_and_wait_role(P::k_name, scratch.path(), setup));
  if (writer.read_line() != "full") throw std::runtime_error("a writer said something unexpected");
  writer.kill();
  return time_open<P>(scratch.path(), setup);
}

}  // namespace

void reopen(Bench& bench) {
  const Options& options = bench.options();
  const Setup setup{1024, options.quick ? 2'000U : options.large ? 1'000'000U : 100'000U, Purpose::survive_kill};
  const std::string records =
      std::to_string(setup.records) + " records of " + std::to_string(setup.value_bytes) + " bytes";
  const Scratch scratch(bench.directory() / "reopen");
  const bool clean = bench.wants("reopen/closed");
  std::vector<Contender> closed;
  std::vector<Contender> killed;
  for_each_peer([&]<class P>(std::type_identity<P>) {
    if constexpr (!std::is_same_v<P, Files>) {  // files have nothing to open
      const std::filesystem::path directory = scratch.path() / P::k_name;
      const std::filesystem::path directory_killed = directory.string() + "-killed";
      if (clean) Child(fill_role(P::k_name, directory, setup)).join();
      closed.push_back({P::k_name, is_larder<P>, [=] { return time_open<P>(directory, setup); }});
      killed.push_back({P::k_name, is_larder<P>, [=] { return time_open_after_kill<P>(directory_killed, setup); }});
    }
  });
  const std::vector<Metric> metrics = {{"us from open to the first get"}};
  if (clean) bench.race("reopen/closed", records + ", writer closed the store, page cache warm", metrics, closed);
  if (bench.wants("reopen/killed")) {
    bench.race("reopen/killed", records + ", writer killed after the last put, page cache warm", metrics, killed);
  }
}

}  // namespace bench
