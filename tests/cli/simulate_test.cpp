// `larder simulate`, from outside.
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "sandbox.hpp"

namespace larder::test {
namespace {

struct Request {
  std::uint64_t key;
  std::uint32_t size;
  std::uint32_t cost_us;
};

std::string bytes_of(const std::vector<Request>& requests) {
  return {reinterpret_cast<const char*>(requests.data()), requests.size() * sizeof(Request)};
}

class Simulate : public Sandbox {
 public:
  nlohmann::json rows(std::vector<std::string> words) {
    words.insert(words.begin(), "simulate");
    return json(std::move(words));
  }
};

// Round and round: least recently used is the worst that one can do.
std::vector<Request> loop(std::uint64_t length, int rounds) {
  std::vector<Request> requests;
  for (int round = 0; round < rounds; ++round) {
    for (std::uint64_t key = 0; key < length; ++key) requests.push_back({key, 100, 10});
  }
  return requests;
}

TEST_F(Simulate, SaysForEachTraceCapacityAndPolicyWhatWouldHaveBeenSaved) {
  write("all.trace", bytes_of(loop(1000, 20)));
  write("once.trace", bytes_of(loop(10, 1)));
  const auto rows = this->rows({"all.trace", "once.trace", "--policy", "lru,two-gate", "--capacity", "50%,1000"});
  ASSERT_EQ(rows.size(), 8U);
  const nlohmann::json expected = {{"trace", "all"},         {"policy", "lru"},       {"capacity", 50'000},
                                   {"cost_model", "native"}, {"requests", 20'000},    {"hits", 0},
                                   {"hit_ratio", 0.0},       {"byte_hit_ratio", 0.0}, {"cost_saved_ratio", 0.0}};
  EXPECT_EQ(rows[0], expected);
  EXPECT_EQ(rows[1]["policy"], "two-gate");
  EXPECT_GT(rows[1]["hit_ratio"], 0.3);
  EXPECT_EQ(rows[1]["hit_ratio"], rows[1]["cost_saved_ratio"]);
  EXPECT_EQ(rows[2]["capacity"], 1000);
  EXPECT_EQ(rows[4]["trace"], "once");
  EXPECT_EQ(rows[4]["hits"], 0);
}

TEST_F(Simulate, CountsHitsBytesAndCostsEachForItself) {
  write("t.trace", bytes_of({{0, 100, 1}, {1, 300, 5}, {1, 300, 5}, {2, 100, 9}, {0, 100, 1}}));
  const auto row = rows({"t.trace", "--capacity", "1KiB"})[0];
  EXPECT_DOUBLE_EQ(row["hit_ratio"], 2.0 / 5);
  EXPECT_DOUBLE_EQ(row["byte_hit_ratio"], 400.0 / 900);
  EXPECT_DOUBLE_EQ(row["cost_saved_ratio"], 6.0 / 21);
  EXPECT_DOUBLE_EQ(rows({"t.trace", "--capacity", "1KiB", "--cost", "unit"})[0]["cost_saved_ratio"], 2.0 / 5);
  EXPECT_DOUBLE_EQ(rows({"t.trace", "--capacity", "1KiB", "--cost", "prop"})[0]["cost_saved_ratio"], 400.0 / 900);
}

TEST_F(Simulate, WithoutAnyCostNothingIsSaidOfWhatIsSaved) {
  write("t.trace", bytes_of({{0, 1, 0}, {0, 1, 0}}));
  EXPECT_TRUE(rows({"t.trace", "--capacity", "1"})[0]["cost_saved_ratio"].is_null());
  const Ran ran = larder({"simulate", "t.trace", "--capacity", "1"});
  EXPECT_EQ(ran.out.find("trace                policy          capacity       hits  byte hits cost saved\n"), 0U);
  EXPECT_NE(ran.out.find("t                    two-gate               1     0.5000     0.5000          -\n"),
            std::string::npos)
      << ran.out;
}

TEST_F(Simulate, ReadsStandardInput) {
  const Ran ran = larder({"simulate", "-", "--json", "--capacity", "100%"}, {.input = bytes_of(loop(10, 3))});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(nlohmann::json::parse(ran.out)[0]["hits"], 20);
}

TEST_F(Simulate, WhatItCannotUseIsNamedWithTheCure) {
  write("whole.trace", bytes_of(loop(10, 3)));
  const auto fails = [&](const std::vector<std::string>& words, int status, const std::string& what) {
    std::vector<std::string> all = words;
    all.insert(all.begin(), "simulate");
    const Ran ran = larder(all);
    EXPECT_EQ(ran.status, status) << ran.err;
    EXPECT_NE(ran.err.find(what), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
  };
  fails({}, 2, "FILE");
  fails({"absent.trace"}, 3, "cannot read absent.trace: No such file or directory");
  fails({"whole.trace", "--policy", "fifo"}, 2, "fifo");
  fails({"whole.trace", "--cost", "free"}, 2, "free");
  fails({"whole.trace", "--capacity", "much"}, 2, "`much` is not a size");
  fails({"whole.trace", "--capacity", "0"}, 2, "a capacity of 0 holds nothing of whole");
  write("torn.trace", "torn");
  fails({"torn.trace"}, 1, "torn.trace: the trace has 4 bytes, which is no multiple of the 16");
}

}  // namespace
}  // namespace larder::test
