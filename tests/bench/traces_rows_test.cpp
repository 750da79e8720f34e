// Whether the memory tier falls short on a trace is what larder_bench_traces is asked for: here it runs on small traces
// whose references are made up, out of reach or easily reached, and has to tell the one from the other.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "traces/demands.hpp"
#include "traces/references.hpp"

namespace bench {
namespace {

struct Request {
  std::uint64_t key;
  std::uint32_t size;
  std::uint32_t cost_us;
};

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Round and round: least recently used is the worst that one can do.
std::string loop(std::uint64_t length, int rounds) {
  std::vector<Request> requests;
  for (int round = 0; round < rounds; ++round) {
    for (std::uint64_t key = 0; key < length; ++key) requests.push_back({key, 10, 7});
  }
  return {reinterpret_cast<const char*>(requests.data()), requests.size() * sizeof(Request)};
}

class TracesRows : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::filesystem::path directory = testing::TempDir() + "traces_rows";
    std::filesystem::create_directories(directory);
    // 10,000 bytes of values: 100 and 1,000 bytes are 1 % and 10 % of them.
    write(directory / "loop.trace", loop(1000, 30));
    write(directory / "reference.csv",
          "trace,cache_size,unit,policy,sim,hit_ratio,byte_hit_ratio\n"
          "loop,1000,bytes,twogate,P,0.0900,0.0900\n"
          "loop,1000,bytes,s3fifo,L,0.0000,0.0000\n"
          "loop,1000,bytes,s3fifo-1,P,0.0000,0.0000\n"
          "loop,4000,bytes,twogate,P,0.9000,0.9000\n"
          "loop,4000,bytes,s3fifo,L,0.0000,0.0000\n"
          "loop,4000,bytes,s3fifo-1,P,0.0000,0.0000\n"
          "loop,4000,bytes,belady,L,0.9900,0.9900\n");
    write(directory / "reference_cost.csv",
          "trace,cost_model,cache_size,policy,hit_ratio,byte_hit_ratio,cost_saved\n"
          "loop,logn,100,twogate,0.0000,0.0000,0.0000\n"
          "loop,native,1000,twogate,0.0000,0.0000,0.0900\n");
    const std::string json = (directory / "traces.json").string();
    const std::string text = (directory / "traces.txt").string();
    const std::string command = std::string(LARDER_BENCH_TRACES) + " " + directory.string() + " --threads 2 --json " +
                                json + " > " + text + " 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << "see " << text;
    std::ifstream in(json);
    report = nlohmann::json::parse(in);
    std::ifstream out(text);
    table.assign(std::istreambuf_iterator<char>(out), {});
  }

  static nlohmann::json cell(std::uint64_t capacity, const std::string& model) {
    for (const auto& cell : report.at("cells")) {
      if (cell.at("capacity") == capacity && cell.at("model") == model) return cell;
    }
    ADD_FAILURE() << "there is no cell at " << capacity << ", " << model;
    return {};
  }
  static std::vector<std::string> marks(const nlohmann::json& cell) {
    std::vector<std::string> all;
    for (const auto& demand : cell.at("falls_short")) all.push_back(demand.at("mark"));
    return all;
  }

  inline static nlohmann::json report;
  inline static std::string table;
};

TEST_F(TracesRows, EveryCellOfTheReferencesHasTheRatiosOfEveryPolicy) {
  ASSERT_EQ(report.at("cells").size(), 4U);
  for (const auto& cell : report.at("cells")) {
    for (const char* policy : {k_two_gate, k_two_gate_threads, k_s3_fifo, k_lru}) {
      ASSERT_EQ(cell.at("measured").at(policy).size(), 3U) << policy;
      for (const auto& ratio : cell.at("measured").at(policy)) EXPECT_TRUE(ratio.is_number());
    }
    EXPECT_EQ(cell.at("requests"), 30'000);
  }
  EXPECT_EQ(cell(1000, "unit").at("entries"), 100);
  EXPECT_EQ(cell(1000, "unit").at("per_mille"), 100);
  EXPECT_EQ(cell(1000, "native").at("measured").at(k_lru), (std::vector<double>{0, 0, 0}));
  EXPECT_GT(cell(1000, "native").at("measured").at(k_two_gate).at(2), 0.06);
}

TEST_F(TracesRows, ACellBelowItsReferenceIsMarkedAndListed) {
  EXPECT_EQ(marks(cell(4000, "unit")), (std::vector<std::string>{"reference", "threads", "best"}));
  EXPECT_NE(table.find("| reference, threads, best\n"), std::string::npos) << table;
  EXPECT_NE(table.find("loop at 4000, unit: twogate less 0.010: "), std::string::npos) << table;
}

TEST_F(TracesRows, ACellThatReachesItsReferenceIsNotMarked) {
  EXPECT_EQ(marks(cell(1000, "unit")), std::vector<std::string>());
  EXPECT_EQ(marks(cell(1000, "native")), std::vector<std::string>());
  EXPECT_EQ(table.find("loop at 1000", table.find("\nfalls short:\n")), std::string::npos) << table;
}

TEST_F(TracesRows, MeansAreJudgedToo) {
  EXPECT_NE(table.find("all: log-normal costs saved at 1 %, mean over the 1 traces that have it: "), std::string::npos)
      << table;
  std::vector<std::string> reached;
  for (const auto& mean : report.at("means")) {
    if (!mean.at("falls_short")) reached.push_back(mean.at("mark"));
  }
  EXPECT_EQ(reached, (std::vector<std::string>{"S3-FIFO at 10 %", "S3-FIFO at 40 %"}));
}

// A row at its reference in everything.
Row row_of(const std::string& trace, double entries) {
  Row row;
  row.cell = {trace, 1000, "unit"};
  row.requests = 100'000;
  row.entries = entries;
  row.per_mille = 100;
  for (const char* policy : {k_two_gate, k_two_gate_threads, k_s3_fifo, k_lru}) row.measured[policy] = {0.5, 0.5, 0.5};
  for (const char* policy : {"twogate", "s3fifo", "s3fifo-1"}) row.references[policy] = {0.5, 0.5, 0.5};
  return row;
}

// What falls short if Two-Gate saves so much less than the reference.
std::vector<std::string> short_of(Row row, double less, double less_with_threads) {
  row.measured[k_two_gate].cost_saved -= less;
  row.measured[k_two_gate_threads].cost_saved -= less_with_threads;
  std::vector<std::string> marks;
  for (const Demand& demand : demands(row)) {
    if (demand.falls_short()) marks.push_back(demand.mark);
  }
  return marks;
}

using Marks = std::vector<std::string>;

TEST(Demands, WhereThereIsLittleMoreIsAllowed) {
  EXPECT_EQ(short_of(row_of("syn-zipf", 200), 0.009, 0.009), Marks());
  EXPECT_EQ(short_of(row_of("syn-zipf", 200), 0.011, 0.009), Marks{"reference"});
  EXPECT_EQ(short_of(row_of("syn-zipf", 199), 0.029, 0.029), Marks());
  EXPECT_EQ(short_of(row_of("vm-io", 200), 0.029, 0.029), Marks());
  EXPECT_EQ(short_of(row_of("vm-io", 200), 0.031, 0.031), Marks{"reference"});
}

TEST(Demands, ManyThreadsMayLoseAnotherHalfOfAHundredth) {
  EXPECT_EQ(short_of(row_of("syn-zipf", 200), 0, 0.014), Marks());
  EXPECT_EQ(short_of(row_of("syn-zipf", 200), 0, 0.016), Marks{"threads"});
}

TEST(Demands, OnlyLargeCellsMustBeNearTheBest) {
  Row row = row_of("syn-zipf", 200);
  row.references["lirs"] = {0.56, 0.56, 0.56};
  EXPECT_EQ(short_of(row, 0, 0), Marks{"best"});
  row.requests = 19'999;
  EXPECT_EQ(short_of(row, 0, 0), Marks());
}

TEST(Demands, WhoKnowsTheFutureIsNotTheBest) {
  Row row = row_of("syn-zipf", 200);
  for (const char* policy : {"belady", "beladysize", "bound-estimate"}) row.references[policy] = {0.9, 0.9, 0.9};
  EXPECT_EQ(short_of(row, 0, 0), Marks());
  EXPECT_DOUBLE_EQ(best_practical(row.references).cost_saved, 0.5);
}

TEST(Demands, TheMeanDistanceCountsEachTraceAlikeAndNothingForBeingAhead) {
  Row behind = row_of("a", 200);
  behind.measured[k_two_gate].cost_saved -= 0.04;
  Row ahead = row_of("b", 200);
  ahead.measured[k_two_gate].cost_saved += 0.04;
  const std::vector<Demand> all = demands(std::vector<Row>{behind, ahead, ahead, ahead});
  EXPECT_EQ(all[0].mark, "mean distance");
  EXPECT_NEAR(all[0].reached, 0.02, 1e-9);
  EXPECT_NEAR(all[1].reached, 0.01, 1e-9);
}

}  // namespace
}  // namespace bench
