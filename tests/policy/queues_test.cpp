#include "policy/queues.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <vector>

namespace larder::policy {
namespace {

constexpr std::size_t k_count = 3;

std::vector<EntryId> listed(const Queues<k_count>& queues, std::size_t queue) {
  std::vector<EntryId> ids;
  for (EntryId id = queues.oldest(queue); id != Queues<k_count>::k_none; id = queues.younger(id)) ids.push_back(id);
  return ids;
}

TEST(Queues, BehaveLikeListsOfWhichAnyMemberCanBeTaken) {
  EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::uint8_t, std::uint8_t>>& steps) {
    Queues<k_count> queues;
    std::array<std::vector<EntryId>, k_count> model;
    for (const auto& [number, to] : steps) {
      const EntryId id = number % 50;
      const auto from =
          std::ranges::find_if(model, [id = id](const auto& queue) { return std::ranges::count(queue, id) != 0; });
      if (from != model.end()) {
        queues.erase(static_cast<std::size_t>(from - model.begin()), id);
        std::erase(*from, id);
      } else {
        queues.fit(id);
        queues.push(to % k_count, id);
        model[to % k_count].push_back(id);
      }
      for (std::size_t queue = 0; queue < k_count; ++queue) {
        RC_ASSERT(listed(queues, queue) == model[queue]);
        RC_ASSERT(queues.empty(queue) == model[queue].empty());
        RC_ASSERT(queues.check(queue) == model[queue].size());
      }
    }
  }));
}

}  // namespace
}  // namespace larder::policy
