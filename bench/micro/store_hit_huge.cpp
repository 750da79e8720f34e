// A hit in the store on one huge value that another process wrote: time to the first byte and to the last, private
// (anonymous) memory that it takes, and how much memory eight processes take that hold it at once.
//
// Each reading is taken by a new process, so that nothing is mapped or cached in it before.
#include "micro/micro.hpp"

namespace bench {
namespace {

constexpr int k_holders = 8;

// What `k_holders` processes that hold the value and have read all of it take, in copies of the value: the sum of
// their proportional set sizes, the program itself included.
double copies_held(const std::vector<std::string>& role, std::uint64_t bytes) {
  std::vector<Child> children;
  children.reserve(k_holders);
  for (int i = 0; i < k_holders; ++i) children.emplace_back(role);
  for (Child& child : children) static_cast<void>(child.read_line());
  double kb = 0;
  for (Child& child : children) {
    child.write_line("pss");
    kb += std::stod(child.read_line());
  }
  for (Child& child : children) child.write_line("end");
  for (Child& child : children) child.join();
  return kb * 1024 / static_cast<double>(bytes);
}

std::vector<double> hold_once(const std::vector<std::string>& role) {
  Child child(role);
  const Held held = parse_held(child.read_line());
  child.write_line("pss");
  static_cast<void>(child.read_line());
  child.write_line("end");
  child.join();
  return {held.first_byte_us, held.every_byte_ms, held.private_first_mib, held.private_every_mib};
}

}  // namespace

void store_hit_huge(Bench& bench) {
  const SizeClass size = huge_class(bench.options());
  const std::string experiment = "store_hit/" + std::string(size.name);
  const std::string experiment_shared = experiment + "/" + std::to_string(k_holders) + " processes";
  if (!bench.wants(experiment) && !bench.wants(experiment_shared)) return;

  const Scratch scratch(bench.directory() / "store_hit_huge");
  const Setup setup{size.bytes, 1};
  std::vector<Contender> contenders;
  std::vector<Contender> sharers;
  for_each_peer([&]<class P>(std::type_identity<P>) {
    if constexpr (std::is_same_v<P, Sqlite>) {
      if (size.bytes > Sqlite::k_value_bytes_max) {
        bench.skip(experiment, "sqlite", "a value may have at most 1,000,000,000 bytes");
        return;
      }
    }
    const std::filesystem::path directory = scratch.path() / P::k_name;
    Child(fill_role(P::k_name, directory, setup)).join();
    for (const Access& access : P::accesses()) {
      const auto role = hold_role(P::k_name, directory, setup, access.how);
      contenders.push_back({access.label, is_larder<P>, [role] { return hold_once(role); }});
      // Eight private copies are eight copies; only those that share are worth the memory to find out.
      if (access.how == How::view && !std::is_same_v<P, RocksDb>) {
        sharers.push_back({access.label, is_larder<P>,
                           [role, size]() -> std::vector<double> { return {copies_held(role, size.bytes)}; }});
      }
    }
  });
  const std::string ran = "1 record of " + std::to_string(size.bytes) +
                          " bytes written by another process, warm; a new process each time, store opened before";
  if (bench.wants(experiment)) {
    bench.race(experiment, ran,
               {{"us to the first byte"},
                {"ms until every byte was read"},
                {"MiB of anonymous memory after the first byte"},
                {"MiB of anonymous memory after every byte"}},
               contenders);
  }
  if (bench.wants(experiment_shared)) {
    bench.race(experiment_shared,
               ran + "; sum of Pss over " + std::to_string(k_holders) +
                   " processes that have read every byte and hold the value, over its size",
               {{"copies in memory"}}, sharers);
  }
}

}  // namespace bench
