#include "systems.hpp"

#include <stdexcept>

#include "harness/child.hpp"

namespace bench {
namespace {

template <class P>
System system_of() {
  System system;
  system.name = P::k_name;
  system.configuration = P::configuration();
  system.accesses = P::accesses();
  system.ours = is_larder<P> || std::is_same_v<P, LarderWriteBack>;
  if constexpr (std::is_same_v<P, LarderWriteBack>) {
    system.only_paced = true;
    system.no_gets = "as larder's";
    system.copies_put = 1;
  } else if constexpr (std::is_same_v<P, Lmdb>) {
    system.copies_put = 1;
  } else if constexpr (std::is_same_v<P, LmdbSynced>) {
    system.no_gets = "as lmdb's";
    system.puts_max = 200;
    system.copies_put = 1;
  } else if constexpr (std::is_base_of_v<RocksDb, P>) {
    system.one_writer = true;
    system.copies_put = 2;
    system.copies_get = 2;
  } else if constexpr (std::is_same_v<P, Sqlite>) {
    system.value_bytes_max = P::k_value_bytes_max;
    system.copies_put = 1;
    system.copies_get = 1;
    system.puts_max = 5'000;
    system.gets_max = 5'000;
  } else if constexpr (std::is_same_v<P, Files>) {
    system.records_max = P::k_records_max;
    system.puts_max = P::k_puts_max;
    system.gets_max = 5'000;
  } else if constexpr (std::is_same_v<P, PlainWrite>) {
    system.no_gets = "it finds nothing again";
  }
  return system;
}

System python_system(const std::string& name, const std::string& module) {
  System system;
  system.name = name;
  system.python = true;
  system.accesses = {{How::copy, name}};
  system.records_max = 1'000;
  system.puts_max = 200;
  system.gets_max = 1'000;
  system.copies_put = 2;
  system.copies_get = 2;
  try {
    Child child({python_script(), module, "describe"}, k_python);
    system.configuration = child.read_line();
    child.join();
  } catch (const std::runtime_error&) {
    system.missing = "apt-get install python3-" + module;
  }
  return system;
}

}  // namespace

std::vector<System> systems() {
  std::vector<System> result;
  for_each_store_peer([&]<class P>(std::type_identity<P>) { result.push_back(system_of<P>()); });
  result.push_back(python_system("diskcache", "diskcache"));
  result.push_back(python_system("joblib", "joblib"));
  return result;
}

std::string python_script() {
  return LARDER_BENCH_PEERS "/python_caches.py";
}

}  // namespace bench
