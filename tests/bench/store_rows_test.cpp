// A row that is missing is not missed by whoever reads the others: here the program is run, quickly, and every row has
// to be in what it writes, with each of its figures or with the reason why there are none.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bench {
namespace {

// A system, and what its gets are called.
struct System {
  std::string name;
  std::string gets;
};

const std::vector<System> k_systems = {{"larder", "larder get"},
                                       {"larder write-back", ""},
                                       {"lmdb", "lmdb view"},
                                       {"lmdb sync", ""},
                                       {"rocksdb points", "rocksdb points"},
                                       {"rocksdb blobs", "rocksdb blobs"},
                                       {"sqlite", "sqlite select"},
                                       {"files", "file mmap"},
                                       {"plain write()", ""},
                                       {"diskcache", "diskcache"},
                                       {"joblib", "joblib"}};

class StoreRows : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string json = testing::TempDir() + "store_rows.json";
    const std::string command = std::string(LARDER_BENCH_STORE) + " --quick --repetitions 1 --dir " +
                                testing::TempDir() + " --json " + json + " > " + json + ".txt 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << "see " << json << ".txt";
    std::ifstream in(json);
    const auto report = nlohmann::json::parse(in);
    for (const auto& table : report.at("results")) {
      for (const auto& series : table.at("series")) {
        metrics_[{table.at("experiment"), series.at("contender")}].insert(table.at("metric"));
        figures_.push_back(series.at("summary").at("median"));
      }
    }
    for (const auto& one : report.at("skipped")) skipped_[{one.at("experiment"), one.at("contender")}] = one.at("why");
  }

  // Whether there is a row of the system, or a reason why not.
  static void expect_row(const std::string& experiment, const std::string& system, const std::string& label,
                         const std::set<std::string>& metrics) {
    if (const auto why = skipped_.find({experiment, system}); why != skipped_.end()) {
      EXPECT_NE(why->second, "") << experiment << ", " << system;
    } else {
      EXPECT_EQ((metrics_[{experiment, label}]), metrics) << experiment << ", " << label;
    }
  }

  using Row = std::pair<std::string, std::string>;  // experiment, contender
  inline static std::map<Row, std::set<std::string>> metrics_;
  inline static std::map<Row, std::string> skipped_;
  inline static std::vector<nlohmann::json> figures_;
};

const std::set<std::string> k_metrics = {"ops/s", "p50 us", "p99 us", "p99.9 us", "max us", "disk/stored"};

TEST_F(StoreRows, EverySystemHasARowForEverySizeAndNumberOfProcessesOrSaysWhyNot) {
  for (const std::string size : {"100B", "1KiB", "16KiB", "1MiB", "64MiB", "1GiB"}) {
    for (const std::string processes : {"/1 process", "/8 processes"}) {
      for (const System& system : k_systems) {
        expect_row("put/" + size + processes, system.name, system.name, k_metrics);
        expect_row("get/" + size + processes, system.name, system.gets, k_metrics);
      }
    }
  }
  for (const System& system : k_systems) {
    expect_row("put/1KiB/8 processes, paced", system.name, system.name, k_metrics);
    expect_row("get/1KiB/1 process, zipf", system.name, system.gets, k_metrics);
  }
}

TEST_F(StoreRows, LarderAndTheDatabasesAreReopenedInEveryWayOrSayWhyNot) {
  for (const std::string scale : {"1GiB", "10GiB"}) {
    for (const std::string how : {"closed", "killed", "power cut, warm", "power cut, cold"}) {
      for (const std::string system : {"larder", "lmdb", "rocksdb points", "sqlite"}) {
        expect_row("reopen/" + scale + "/" + how, system, system, {"ms to first get"});
      }
    }
  }
}

TEST_F(StoreRows, LarderIsMeasuredInEachOfThem) {
  for (const auto& [row, why] : skipped_) {
    if (row.second == "larder") {
      EXPECT_EQ(why, "left out by --quick") << row.first;
    }
  }
}

TEST_F(StoreRows, EveryFigureIsANumber) {
  EXPECT_FALSE(figures_.empty());
  for (const auto& figure : figures_) EXPECT_TRUE(figure.is_number());
}

}  // namespace
}  // namespace bench
