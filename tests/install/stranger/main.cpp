// A stranger's program: the same question twice in this process, and once more of a cache that is opened anew.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <larder/larder.hpp>

namespace {

int computations = 0;

std::vector<double> squares(int count) {
  ++computations;
  std::vector<double> result;
  for (int i = 0; i < count; ++i) result.push_back(static_cast<double>(i) * i);
  return result;
}

larder::Tier ask(larder::Cache& cache) {
  const auto answer = cache.get_or_compute(larder::Key{"squares", 1000}, [] { return squares(1000); });
  if (answer->size() != 1000 || answer->back() != 998001.0) {
    std::puts("wrong value");
    std::exit(1);
  }
  return answer.source();
}

bool expect(const char* question, larder::Tier tier, larder::Tier expected) {
  std::printf("%s: %s\n", question, larder::tier_name(tier));
  return tier == expected;
}

}  // namespace

int main(int, char** argv) {
  const larder::Options options{.directory = argv[1], .store = "64MiB", .memory = "16MiB"};
  bool right = true;
  {
    auto cache = larder::Cache::open(options).value();
    right &= expect("first", ask(cache), larder::Tier::computed);
    right &= expect("second", ask(cache), larder::Tier::memory);
  }
  auto cache = larder::Cache::open(options).value();
  right &= expect("opened anew", ask(cache), larder::Tier::store);
  right &= computations == 1;
  std::puts(right ? "the stranger is served" : "not as expected");
  return right ? 0 : 1;
}
