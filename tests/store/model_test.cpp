// Random operations by two processes on few keys, against a map. A key that was put last and could not have
// been reclaimed is found; whatever is found is what the map says.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "store/inspect.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

// `vanishing`: the limit is so small that the store reclaims.
void run(bool vanishing) {
  const std::uint64_t limit = vanishing ? 6 * k_mib : 256 * k_mib;
  const Directory directory;
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 0; i < 2; ++i) processes.push_back(std::make_unique<Process>(directory, limit));
  std::map<std::int64_t, std::string> model;
  const int operations = *rc::gen::inRange(1, 120);
  for (int i = 0; i < operations; ++i) {
    Process& process = *processes[*rc::gen::inRange<std::size_t>(0, 2)];
    const auto number = *rc::gen::inRange<std::int64_t>(0, 8);
    const Key key{"k", number};
    switch (*rc::gen::inRange(0, 24)) {
      default: {
        const std::size_t size = *rc::gen::element<std::size_t>(0, 1, 100, 16'384, 16'385, 70'000, 400'000, 1'200'000);
        const std::string value = noise(size, static_cast<std::uint64_t>(i));
        const Put put = process.put(key, value);
        RC_ASSERT(put == Put::stored || (vanishing && put == Put::no_room));
        if (put == Put::stored) {
          model[number] = value;
        } else {
          model.erase(number);
        }
        break;
      }
      case 0:
      case 1:
      case 2: {
        const bool there = process.store->remove(key);
        RC_ASSERT(vanishing || there == model.contains(number));
        model.erase(number);
        break;
      }
      case 3:
        process.store->clear();
        model.clear();
        break;
      case 4:
        process.reopen();
        break;
      case 5:
        for (auto& each : processes) each->store.reset();
        reboot(directory);
        for (auto& each : processes) each->open();
        break;
      case 6:
        for (auto& each : processes) each->store->maintain();
        break;
    }
    for (auto& each : processes) {
      RC_ASSERT(each->store->usage().bytes <= limit);
      const auto found = each->get(key);
      const auto expected = model.find(number);
      if (found) RC_ASSERT(expected != model.end() && *found == expected->second);
      if (!found && !vanishing) RC_ASSERT(expected == model.end());
    }
  }
  for (auto& each : processes) each->store->check();
  RC_ASSERT(check(directory.path()).value().empty());
  RC_ASSERT(verify(directory.path()).value().damaged.empty());
}

RC_GTEST_PROP(StoreModel, AgreesWithAMapWhenNothingIsReclaimed, ()) {
  run(false);
}

RC_GTEST_PROP(StoreModel, NeverShowsWhatTheMapDoesNotHoldWhenItReclaims, ()) {
  run(true);
}

}  // namespace
}  // namespace larder::store
