// What `larder doctor` has to say, one line a check.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <larder/cache.hpp>

#include "output.hpp"
#include "store/inspect.hpp"

namespace larder::tool {

enum class State { ok, warn, fail };

struct Check {
  State state;
  const char* name;
  std::string what;
  std::string cure;  // empty where all is well
};

// What is seen of a store from outside: by opening it, this process would become one of those that hold values, and
// missing files would be made.
struct StoreLook {
  Result<store::Holders> holders;
  Result<store::Survey> survey;
};
[[nodiscard]] StoreLook look_at_store(const std::filesystem::path& directory);

// The checks of a store that was opened after that.
[[nodiscard]] std::vector<Check> check_store(const Globals& globals, const StoreLook& look, Cache& cache,
                                             const Stats& stats);

}  // namespace larder::tool
