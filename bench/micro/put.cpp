// Putting values: fresh keys and fresh bytes into a new store that has taken one small value before the clock starts.
//
// No contender syncs. LMDB, SQLite and the files have handed every value to the kernel when put returns, and so has
// larder; RocksDB without its log has not, its values are lost with the process. From 1 MiB on, plain write() of the
// same bytes into one new file is the yardstick.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "harness/quiet.hpp"
#include "harness/timing.hpp"
#include "micro/micro.hpp"

namespace bench {
namespace {

// What is put in one repetition. The bytes are new each time: renew() is called before every contender's turn.
struct Source {
  explicit Source(const SizeClass& size) : value_bytes(size.bytes), bytes(size.bytes * size.puts) {
    for (std::uint64_t i = 0; i < size.puts; ++i) keys.emplace_back(i);
  }
  void renew() { fill_value(bytes, ++generation); }
  [[nodiscard]] Bytes value(std::uint64_t i) const { return Bytes(bytes).subspan(i * value_bytes, value_bytes); }

  std::uint64_t value_bytes;
  std::vector<Key> keys;
  std::vector<std::byte> bytes;
  std::uint64_t generation = 0;
};

// From here on bandwidth is what matters, and a multiple of a plain write.
constexpr std::uint64_t k_large = 1'000'000;

// The reading for a repetition that put `puts` values since `start`: ns a put, or MB/s of large values.
std::vector<double> reading(const Source& source, std::uint64_t puts, std::int64_t start) {
  const auto ns = static_cast<double>(now_ns() - start);
  if (source.value_bytes < k_large) return {ns / static_cast<double>(puts)};
  return {static_cast<double>(puts * source.value_bytes) * 1e3 / ns};
}

template <class P>
std::vector<double> time_puts(const std::filesystem::path& directory, Source& source) {
  const Scratch scratch(directory);
  std::uint64_t puts = source.keys.size();
  if constexpr (std::is_same_v<P, Files>) puts = std::min(puts, Files::k_puts_max);
  P peer(scratch.path(), {source.value_bytes, puts});
  const std::vector<std::byte> small(100);
  peer.put(Key(source.keys.size()), small);
  source.renew();
  settle(scratch.path());
  ready_memory(scratch.path(), source.keys.size() * source.value_bytes);
  const std::int64_t start = now_ns();
  for (std::uint64_t i = 0; i < puts; ++i) peer.put(source.keys[i], source.value(i));
  return reading(source, puts, start);
}

std::vector<double> time_plain_write(const std::filesystem::path& directory, Source& source) {
  const Scratch scratch(directory);
  source.renew();
  settle(scratch.path());
  ready_memory(scratch.path(), source.keys.size() * source.value_bytes);
  const std::int64_t start = now_ns();
  const int fd = open((scratch.path() / "plain").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  for (std::uint64_t i = 0; i < source.keys.size(); ++i) Files::write_all(fd, source.value(i));
  close(fd);
  return reading(source, source.keys.size(), start);
}

void put(Bench& bench, const SizeClass& size) {
  const std::string experiment = "put/" + std::string(size.name);
  if (!bench.wants(experiment)) return;
  const bool large = size.bytes >= k_large;
  const std::filesystem::path directory = bench.directory() / "put";
  Source source(size);
  std::vector<Contender> contenders;
  for_each_peer([&]<class P>(std::type_identity<P>) {
    if constexpr (std::is_same_v<P, Sqlite>) {
      if (size.bytes > Sqlite::k_value_bytes_max) {
        return bench.skip(experiment, "sqlite", "a value may have at most 1,000,000,000 bytes");
      }
    }
    contenders.push_back(
        {std::string(P::k_name) + " put", is_larder<P>, [&] { return time_puts<P>(directory, source); }});
  });
  if (large) contenders.push_back({"plain write()", false, [&] { return time_plain_write(directory, source); }});
  bench.race(experiment,
             std::to_string(size.puts) + " puts of " + std::to_string(size.bytes) +
                 " bytes a repetition into a new store, no sync; close not included",
             {large ? Metric{"MB/s", Better::higher} : Metric{"ns/put"}}, contenders);
}

}  // namespace

void put(Bench& bench) {
  for (const SizeClass& size : size_classes(bench.options())) put(bench, size);
  put(bench, huge_class(bench.options()));
}

}  // namespace bench
