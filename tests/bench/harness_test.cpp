// A benchmark with a wrong median lies quietly; here the arithmetic of the harness is held against known answers.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/race.hpp"
#include "harness/random.hpp"
#include "harness/report.hpp"
#include "harness/statistics.hpp"
#include "harness/threads.hpp"
#include "harness/workload.hpp"
#include "peers/lru_map.hpp"

namespace bench {
namespace {

TEST(Statistics, TheQuantileIsTheNearestRank) {
  const std::vector<int> samples = {50, 10, 40, 20, 30};
  EXPECT_EQ(quantile(samples, 0.0), 10);
  EXPECT_EQ(quantile(samples, 0.5), 30);
  EXPECT_EQ(quantile(samples, 0.8), 40);
  EXPECT_EQ(quantile(samples, 0.99), 50);
}

TEST(Statistics, TheMedianOfAnEvenNumberOfReadingsIsTheMeanOfTheMiddleTwo) {
  const Summary summary = summarize({8, 1, 4, 2});
  EXPECT_DOUBLE_EQ(summary.median, 3);
  EXPECT_DOUBLE_EQ(summary.min, 1);
  EXPECT_DOUBLE_EQ(summary.max, 8);
}

TEST(Statistics, RatiosPairReadingsOfTheSameRound) {
  EXPECT_EQ(ratios({2, 30}, {1, 10}), (std::vector<double>{2, 3}));
}

TEST(Random, ZipfDrawsRanksInProportionToTheirWeights) {
  const Zipf zipf(1000, 0.99);
  Random random(1);
  std::map<std::uint64_t, int> drawn;
  for (int i = 0; i < 1'000'000; ++i) ++drawn[zipf(random)];
  EXPECT_NEAR(static_cast<double>(drawn[0]) / drawn[9], std::pow(10.0, 0.99), 0.3);
  EXPECT_LT(drawn.rbegin()->first, 1000U);
}

TEST(Random, APermutationHasEveryNumberOnce) {
  Random random(1);
  std::vector<std::uint32_t> numbers = permutation(100, random);
  EXPECT_FALSE(std::ranges::is_sorted(numbers));
  std::ranges::sort(numbers);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(numbers[i], i);
}

TEST(Workload, ZipfAsksForAFewNumbersMostOfTheTimeAndTheyDoNotLieSideBySide) {
  std::map<std::uint64_t, int> asked;
  for (const std::uint64_t number : draw_numbers(Spread::zipf, 1000, 100'000)) ++asked[number];
  EXPECT_LT(asked.rbegin()->first, 1000U);
  const auto most = std::ranges::max_element(asked, {}, [](const auto& one) { return one.second; });
  EXPECT_GT(most->second, 10'000);
  EXPECT_LT(asked[most->first + 1], most->second / 3);
}

TEST(Workload, AValueOfAnotherRecordOrAShorterOneIsNoticed) {
  std::vector<std::byte> value(100);
  fill_value(value, 7);
  EXPECT_NO_THROW(expect_value(value, 100, 7));
  EXPECT_THROW(expect_value(value, 100, 8), std::runtime_error);
  EXPECT_THROW(expect_value(Bytes(value).first(50), 100, 7), std::runtime_error);
}

TEST(Threads, EachOperationIsDoneOnceByOneOfThem) {
  for (const unsigned threads : {1U, 3U, 8U}) {
    std::vector<std::atomic<int>> done(1001);
    EXPECT_GT(time_threads(threads, done.size(),
                           [&](std::size_t begin, std::size_t end) {
                             for (std::size_t i = begin; i < end; ++i) ++done[i];
                           }),
              0);
    for (const std::atomic<int>& one : done) EXPECT_EQ(one, 1);
  }
}

TEST(Threads, AWrongAnswerInAnyOfThemEndsTheRun) {
  const auto part = [](std::size_t begin, std::size_t) {
    if (begin != 0) throw std::runtime_error("wrong");
  };
  EXPECT_THROW((void)time_threads(2, 2, part), std::runtime_error);
  EXPECT_NO_THROW((void)time_threads(1, 2, part));
}

TEST(LruMap, WhatWasUsedLongestAgoLeavesAndAPutReplaces) {
  LruMap<std::string> map(1, 2);
  const auto number = [](std::uint64_t value) { return std::make_shared<const std::uint64_t>(value); };
  map.put("a", number(1));
  map.put("b", number(2));
  map.put("a", number(3));
  map.put("c", number(4));
  EXPECT_EQ(map.get("b"), nullptr);
  EXPECT_EQ(*map.get("a"), 3U);
  EXPECT_EQ(*map.get("c"), 4U);
}

TEST(Race, EachRoundHasEveryContenderOnceAndTheFirstDoesNotCount) {
  std::string turns;
  const auto contender = [&turns](const char* name, bool ours) {
    return Contender{name, ours, [&turns, name]() -> std::vector<double> {
                       turns += name;
                       return {static_cast<double>(turns.size())};
                     }};
  };
  const std::vector<Table> tables = race("x", "", {{"m"}}, {contender("a", true), contender("b", false)}, {1, 20});
  ASSERT_EQ(turns.size(), 42U);
  ASSERT_EQ(tables.size(), 1U);
  const std::vector<double>& a = tables[0].series[0].readings;
  const std::vector<double>& b = tables[0].series[1].readings;
  ASSERT_EQ(a.size(), 20U);
  ASSERT_EQ(b.size(), 20U);
  int a_first = 0;
  for (std::size_t round = 0; round < 20; ++round) {
    const double before = 2 + 2 * static_cast<double>(round);  // turns taken, those that do not count included
    EXPECT_EQ(a[round] + b[round], (before + 1) + (before + 2));
    if (a[round] < b[round]) ++a_first;
  }
  EXPECT_GT(a_first, 0);
  EXPECT_LT(a_first, 20);
}

TEST(Report, TheBestPeerIsNeverOursAndFollowsTheDirectionOfTheMetric) {
  Table table{"x", "", {"m", Better::lower}, {{"ours", true, {1}}, {"slow", false, {9}}, {"quick", false, {2}}}};
  EXPECT_EQ(table.reference()->contender, "ours");
  EXPECT_EQ(table.best_peer()->contender, "quick");
  table.metric.better = Better::higher;
  EXPECT_EQ(table.best_peer()->contender, "slow");
}

TEST(Report, JsonEscapesTextAndSaysNullWhereARatioHasNoValue) {
  Report report("program", {{{"command", "a \"b\"\n"}}, 1});
  std::ostringstream table;
  report.add({"x", "", {"m"}, {{"ours", true, {1}}, {"nothing", false, {0}}}}, table);
  std::ostringstream json;
  report.write_json(json);
  EXPECT_NE(json.str().find(R"("command": "a \"b\"\u000a")"), std::string::npos) << json.str();
  EXPECT_NE(json.str().find(R"("larder_over_this": {"median": null)"), std::string::npos) << json.str();
}

}  // namespace
}  // namespace bench
