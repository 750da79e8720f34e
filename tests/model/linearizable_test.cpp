// The checker itself: what it lets pass, what it does not, and what it then names.
#include "model/linearizable.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include <larder/cache.hpp>

namespace larder {
namespace {

using test::contradiction;
using test::History;
using test::Operation;
using Kind = Operation::Kind;

Operation put(std::uint64_t value, std::int64_t invoked, std::int64_t returned) {
  return {.kind = Kind::put, .argument = value, .invoked = invoked, .returned = returned};
}
Operation get(std::uint64_t value, std::int64_t invoked, std::int64_t returned) {
  return {.kind = Kind::get, .result = value, .invoked = invoked, .returned = returned};
}
Operation removal(std::int64_t invoked, std::int64_t returned) {
  return {.kind = Kind::remove, .invoked = invoked, .returned = returned};
}
Operation invalidation(std::int64_t invoked, std::int64_t returned) {
  return {.kind = Kind::invalidate, .invoked = invoked, .returned = returned};
}

// Times in a legal history are told apart by who overlaps whom, so each history is written as a time line.
void expect_legal(const History& history) {
  EXPECT_TRUE(contradiction(history).empty()) << test::text_of(contradiction(history));
}
// `named`: the operations that contradict each other.
void expect_illegal(const History& history, const History& named) {
  EXPECT_EQ(test::text_of(contradiction(history)), test::text_of(named));
}

TEST(Linearizable, IsAHistoryInWhichLookupsFindWhatWasPutLastOrNothing) {
  expect_legal({});
  expect_legal({get(0, 1, 2)});
  expect_legal({put(7, 1, 2), get(7, 3, 4), get(0, 5, 6), get(7, 7, 8)});
  expect_legal({put(7, 1, 2), put(8, 3, 4), get(8, 5, 6)});
  expect_legal({put(7, 1, 2), removal(3, 4), get(0, 5, 6), put(8, 7, 8), get(8, 9, 10)});
}

TEST(Linearizable, IsAHistoryInWhichALookupBesideAChangeFindsWhatWasBeforeOrAfter) {
  for (const std::uint64_t seen : {7U, 8U}) expect_legal({put(7, 1, 2), put(8, 3, 6), get(seen, 4, 5)});
  expect_legal({put(7, 1, 2), removal(3, 6), get(7, 4, 5)});
  expect_legal({put(7, 1, 2), invalidation(3, 6), get(7, 4, 5)});
  expect_legal({put(7, 1, 4), get(7, 2, 3)});
  expect_legal({put(7, 1, 2), put(8, 3, 10), get(7, 4, 5), get(8, 6, 7), get(8, 8, 9)});
}

TEST(Linearizable, AreConcurrentChangesInWhicheverOrderTheLookupsSaw) {
  for (const std::uint64_t last : {7U, 8U, 9U}) {
    expect_legal({put(7, 1, 4), put(8, 1, 4), put(9, 1, 4), get(last, 5, 6), get(last, 7, 8)});
  }
  expect_legal({put(7, 1, 10), put(8, 1, 10), get(8, 2, 3), get(7, 4, 5), get(7, 11, 12)});
  expect_legal({put(7, 1, 4), removal(1, 4), get(7, 5, 6)});
  expect_legal({put(7, 1, 6), invalidation(2, 3), get(7, 7, 8)});
}

TEST(Linearizable, IsNotAValueAfterItsRemoval) {
  const History history{put(7, 1, 2), removal(3, 4), get(7, 5, 6)};
  expect_illegal(history, history);
}

TEST(Linearizable, IsNotAValueAfterItsInvalidation) {
  const History history{put(7, 1, 2), invalidation(3, 4), get(7, 5, 6)};
  expect_illegal(history, history);
}

TEST(Linearizable, IsNotAValueAfterItsOverwrite) {
  const History history{put(7, 1, 2), put(8, 3, 4), get(7, 5, 6)};
  expect_illegal(history, history);
}

TEST(Linearizable, IsNotAnOverwrittenValueThoughTheNewOneWasSupersededOrRefused) {
  for (const auto outcome : {PutOutcome::Store::superseded, PutOutcome::Store::refused}) {
    History history{put(7, 1, 2), put(8, 3, 4), get(7, 5, 6)};
    history[1].result = static_cast<std::uint64_t>(outcome);
    expect_illegal(history, history);
  }
}

TEST(Linearizable, IsNotAValueThatComesBack) {
  const History revived{put(7, 1, 20), get(7, 2, 3), removal(4, 5), get(7, 6, 7)};
  expect_illegal(revived, revived);
  const History alternating{put(7, 1, 20), put(8, 1, 20), get(7, 2, 3), get(8, 4, 5), get(7, 6, 7)};
  expect_illegal(alternating, alternating);
}

TEST(Linearizable, IsNotTheOldValueForOneReaderAfterAnotherSawTheNewOne) {
  const History history{put(7, 1, 2), put(8, 3, 20), get(8, 4, 5), get(7, 6, 7)};
  expect_illegal(history, history);
}

TEST(Linearizable, AreNotTwoOrdersForTwoReaders) {
  // Each reader's own order is possible; both together are not.
  const History history{put(7, 1, 2), put(8, 1, 2), get(7, 3, 10), get(8, 3, 4), get(7, 5, 6), get(8, 9, 10)};
  expect_illegal(history, {put(7, 1, 2), put(8, 1, 2), get(7, 5, 6), get(8, 9, 10)});
}

TEST(Linearizable, IsNotAValueThatWasNeverPutOrOnlyLater) {
  expect_illegal({put(7, 1, 2), get(9, 3, 4)}, {get(9, 3, 4)});
  const History early{get(7, 1, 2), put(7, 3, 4)};
  expect_illegal(early, early);
}

TEST(Linearizable, NamesNothingBesideTheContradiction) {
  expect_illegal(
      {put(1, 1, 2), get(1, 3, 4), get(0, 3, 9), put(7, 5, 6), get(7, 7, 8), put(8, 9, 12), get(7, 10, 11),
       removal(13, 14), put(9, 13, 30), get(8, 15, 16), get(9, 17, 18), invalidation(19, 20), get(0, 21, 22)},
      {put(8, 9, 12), removal(13, 14), get(8, 15, 16)});
}

// Gibbons and Korach: where every value is put once, the put and the gets of one value follow each other without
// another change in between. Two such groups exclude each other if each has to come before the other.
bool is_possible_by_groups(const History& history) {
  struct Group {
    const Operation* put = nullptr;
    std::int64_t first_return = INT64_MAX;
    std::int64_t last_invocation = INT64_MIN;
  };
  std::map<std::uint64_t, Group> groups;
  std::uint64_t of_removal = 1'000'000;
  for (const Operation& operation : history) {
    if (operation.kind == Kind::get && operation.result == 0) continue;
    const std::uint64_t value = operation.kind == Kind::put   ? operation.argument
                                : operation.kind == Kind::get ? operation.result
                                                              : of_removal++;
    Group& group = groups[value];
    if (operation.kind != Kind::get) group.put = &operation;
    group.first_return = std::min(group.first_return, operation.returned);
    group.last_invocation = std::max(group.last_invocation, operation.invoked);
  }
  for (const auto& [value, group] : groups) {
    if (group.put == nullptr || group.first_return < group.put->invoked) return false;
    for (const auto& [other_value, other] : groups) {
      if (value != other_value && group.first_return < other.last_invocation &&
          other.first_return < group.last_invocation) {
        return false;
      }
    }
  }
  return true;
}

TEST(Linearizable, IsDecidedAsByAnotherMethodForRandomHistories) {
  std::mt19937 random(20'261);
  std::map<bool, int> verdicts;
  for (int round = 0; round < 20'000; ++round) {
    // What a real register does, seen through intervals that are sometimes too short.
    History history;
    std::uint64_t state = 0;
    const int operations = 2 + static_cast<int>(random() % 30);
    const int stretch = 1 + static_cast<int>(random() % 60);
    for (int i = 0; i < operations; ++i) {
      const auto before = static_cast<std::int64_t>(random() % static_cast<unsigned>(stretch));
      const auto after = static_cast<std::int64_t>(random() % static_cast<unsigned>(stretch));
      const std::int64_t invoked = 10 * i - before;
      const std::int64_t returned = 10 * i + after;
      switch (random() % 8) {
        case 0:
        case 1:
          state = static_cast<std::uint64_t>(i) + 1;
          history.push_back(put(state, invoked, returned));
          break;
        case 2:
          state = 0;
          history.push_back(random() % 2 == 0 ? removal(invoked, returned) : invalidation(invoked, returned));
          break;
        default:
          history.push_back(get(state, invoked, returned));
          break;
      }
    }
    for (std::size_t wrong = random() % 3; wrong > 0; --wrong) {
      std::swap(history[random() % history.size()].returned, history[random() % history.size()].returned);
      std::swap(history[random() % history.size()].invoked, history[random() % history.size()].invoked);
    }
    for (Operation& operation : history) {
      if (operation.returned < operation.invoked) std::swap(operation.invoked, operation.returned);
    }
    const History contradicting = contradiction(history);
    ASSERT_EQ(contradicting.empty(), is_possible_by_groups(history)) << "round " << round << "\n"
                                                                     << test::text_of(history);
    EXPECT_TRUE(contradicting.empty() || !is_possible_by_groups(contradicting));
    ++verdicts[contradicting.empty()];
  }
  EXPECT_GT(verdicts[true], 1'000);
  EXPECT_GT(verdicts[false], 1'000);
}

}  // namespace
}  // namespace larder
