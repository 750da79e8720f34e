// Anything may be refused at any time. A run opens a cache on one small store several times, as if the machine had been
// restarted in between or not; each time the system refuses some calls from some moment on, once, for a while or for
// good: while the store is made, opened, rebuilt, worked with, reclaimed and closed. Every answer is the current value
// or none, each computation's result is returned, each fault is counted, and when the system is well again so is the
// store.
//
//     LARDER_TEST_SEED=7 …     the run of that seed alone, as a failure says it
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>

#include <larder/larder.hpp>

#include "os/os.hpp"
#include "support/machine.hpp"
#include "support/refusals.hpp"
#include "support/roles.hpp"
#include "support/temporary_directory.hpp"
#include "support/values.hpp"

namespace larder {
namespace {

using test::Refusal;
using test::Refusals;

constexpr std::uint64_t k_keys = 12;
constexpr std::size_t k_value_bytes_max = 100'000;
constexpr std::size_t k_large_bytes = 300'000;  // a segment of its own

constexpr std::array k_calls = {
    os::Call::open,   os::Call::read, os::Call::write,          os::Call::allocate, os::Call::map,  os::Call::populate,
    os::Call::unlink, os::Call::list, os::Call::make_directory, os::Call::lock,     os::Call::sync, os::Call::rename,
};
constexpr std::array k_codes = {ENOSPC, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, EROFS, EACCES};

std::uint64_t faults(const Stats& stats) {
  return stats[Counter::fault_no_space] + stats[Counter::fault_io] + stats[Counter::fault_permission] +
         stats[Counter::fault_damaged_file] + stats[Counter::fault_damaged_record] + stats[Counter::fault_other];
}

Key key_of(std::uint64_t number) {
  return Key{"k", static_cast<std::int64_t>(number)};
}

std::string tag_of(std::uint64_t key) {
  return key % 2 == 0 ? "even" : "odd";
}

std::string value_of(std::uint64_t key, std::uint64_t version) {
  std::string value = std::to_string(version) + ":" + test::value_of(key, version, k_value_bytes_max);
  if (version % 16 == 0) value.append(k_large_bytes, 'l');
  return value;
}

class FaultRun {
 public:
  explicit FaultRun(std::uint64_t seed) : seed_(seed), random_(seed), directory_(test::fast_directory()) {}

  void live() {
    const std::uint64_t lives = 1 + any(3);
    for (std::uint64_t life = 0; life < lives; ++life) work(plan(), any(2) == 0);
    work({}, true);
  }

  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  std::uint64_t any(std::uint64_t below) { return random_() % below; }

  std::vector<Refusal> plan() {
    std::vector<Refusal> plan(1 + any(3));
    for (Refusal& refusal : plan) {
      const std::uint64_t from = any(std::uint64_t{1} << any(8));
      const std::array<std::uint64_t, 3> counts{1, 1 + any(10), UINT64_MAX / 2};
      refusal = {k_calls[any(k_calls.size())], k_codes[any(k_codes.size())], from, from + counts[any(3)]};
    }
    return plan;
  }

  void work(const std::vector<Refusal>& plan, bool from_the_start) {
    SCOPED_TRACE("LARDER_TEST_SEED=" + std::to_string(seed_));
    if (any(3) == 0) test::restart(directory_.path() / "store");
    std::optional<Refusals> refusals;
    if (from_the_start) refusals.emplace(plan);
    Result<Cache> opened = Cache::open({.directory = directory_.path() / "store",
                                        .store = Size("3MiB"),
                                        .memory = "200KiB",
                                        .write = WriteMode::through});
    if (!opened) {
      ADD_FAILURE() << opened.error().what();
      return;
    }
    std::optional<Cache> cache(*std::move(opened));
    if (!refusals) refusals.emplace(plan);
    // Without a store what is done now is done to memory alone.
    const bool alone = !cache->stats().degraded.empty();
    EXPECT_TRUE(!alone || !plan.empty()) << cache->stats().degraded;
    const std::uint64_t steps = 20 + any(40);
    for (std::uint64_t i = 0; i < steps; ++i) step(*cache, alone);
    const auto refused = refusals->refused();
    refused_ += refused.size();
    EXPECT_TRUE(refused.empty() || faults(cache->stats()) > 0)
        << "of " << refused.size() << " refused calls none is counted; the first one: call "
        << static_cast<int>(refused[0].first) << " on " << refused[0].second;
    cache.reset();
  }

  void step(Cache& cache, bool alone) {
    const std::uint64_t key = any(k_keys);
    const std::uint64_t what = any(20);
    if (what < 8) {
      put(cache, key, alone);
    } else if (what < 12) {
      compute(cache, key, alone);
    } else if (what < 16) {
      const auto found = cache.get<std::string>(key_of(key));
      if (found) check(key, **found);
    } else if (what < 18) {
      cache.remove(key_of(key));
      forget(key, alone);
    } else if (what < 19) {
      cache.invalidate(tag_of(key));
      for (std::uint64_t other = key % 2; other < k_keys; other += 2) forget(other, alone);
    } else if (any(4) == 0) {
      cache.clear();
      for (std::uint64_t other = 0; other < k_keys; ++other) forget(other, alone);
    }
  }

  void put(Cache& cache, std::uint64_t key, bool alone) {
    const std::uint64_t version = ++versions_;
    cache.put(key_of(key), value_of(key, version), {.tags = {tag_of(key)}});
    forget(key, alone);
    current_[key].insert(version);
  }

  void compute(Cache& cache, std::uint64_t key, bool alone) {
    const std::uint64_t version = ++versions_;
    bool computed = false;
    const auto result = cache.get_or_compute(key_of(key),
                                             [&] {
                                               computed = true;
                                               return value_of(key, version);
                                             },
                                             {.tags = {tag_of(key)}});
    if (!computed) return check(key, *result);
    EXPECT_TRUE(*result == value_of(key, version)) << "not the result of the computation";
    forget(key, alone);
    current_[key].insert(version);
  }

  void check(std::uint64_t key, const std::string& value) {
    const std::uint64_t version = std::strtoull(value.c_str(), nullptr, 10);
    EXPECT_TRUE(value == value_of(key, version)) << "key " << key << ": not a value of it";
    EXPECT_TRUE(current_[key].contains(version)) << "key " << key << ": version " << version << " is not current";
  }

  // What the store has stays what it has if nobody could tell it.
  void forget(std::uint64_t key, bool alone) {
    if (!alone) current_[key].clear();
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  const test::TemporaryDirectory directory_;
  std::uint64_t versions_ = 0;
  std::uint64_t refused_ = 0;
  std::map<std::uint64_t, std::set<std::uint64_t>> current_;  // versions that may be found, of each key
};

TEST(AnyFault, LosesNoResultAndBringsNothingBackAndIsCounted) {
  const char* const chosen = std::getenv("LARDER_TEST_SEED");
  const std::uint64_t first = chosen != nullptr ? std::stoull(chosen) : 1;
  const std::uint64_t runs = chosen != nullptr ? 1 : test::long_run() ? 10'000 : 150;
  std::uint64_t refused = 0;
  std::uint64_t seed = first;
  for (; seed < first + runs && !HasFailure(); ++seed) {
    FaultRun run(seed);
    run.live();
    refused += run.refused();
  }
  std::printf("  %lu runs, %lu calls refused\n", static_cast<unsigned long>(seed - first),
              static_cast<unsigned long>(refused));
}

}  // namespace
}  // namespace larder
