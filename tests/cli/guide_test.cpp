// The examples of docs/guide/tool.md, run. In a block marked `console`, a line `$ COMMAND` is run by a shell, and the
// lines below it are what it prints, standard error included; `…` stands for any text within a line. All blocks run
// in order in one directory with one store.
#include <fnmatch.h>

#include <fstream>
#include <string>
#include <vector>

#include "sandbox.hpp"

namespace larder::test {
namespace {

struct Example {
  int line;
  std::string command;
  std::string printed;
};

std::vector<Example> examples(const std::string& path) {
  std::ifstream guide(path);
  std::vector<Example> result;
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(guide, line);) {
    ++number;
    if (line.starts_with("```")) {
      inside = line == "```console";
    } else if (inside && line.starts_with("$ ")) {
      result.push_back({number, line.substr(2), ""});
    } else if (inside && !result.empty()) {
      result.back().printed += line + "\n";
    }
  }
  return result;
}

// A glob that matches exactly `text`, with `…` for anything.
std::string glob_of(const std::string& text) {
  std::string glob;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, "…") == 0) {
      glob += '*';
      i += 2;
    } else {
      if (std::string_view("*?[\\").find(text[i]) != std::string_view::npos) glob += '\\';
      glob += text[i];
    }
  }
  return glob;
}

class Guide : public Sandbox {};

TEST_F(Guide, EveryExamplePrintsWhatThePageSays) {
  const std::vector<Example> all = examples(LARDER_GUIDE);
  ASSERT_GT(all.size(), 20U);
  for (const Example& example : all) {
    const Ran ran = shell("exec 2>&1; " + example.command);
    EXPECT_EQ(::fnmatch(glob_of(example.printed).c_str(), ran.out.c_str(), 0), 0)
        << "line " << example.line << ": " << example.command << "\nprinted:\n"
        << ran.out;
  }
}

TEST_F(Guide, EveryVerbHasAnExample) {
  const std::vector<Example> all = examples(LARDER_GUIDE);
  for (const char* verb : {"exec", "get", "put", "has", "rm", "info", "ls", "stats", "clear", "verify", "compact",
                           "doctor", "simulate", "key", "help"}) {
    const std::string word = std::string("larder ") + verb;
    EXPECT_TRUE(std::ranges::any_of(all, [&](const Example& one) {
      return one.command.find(word) != std::string::npos;
    })) << verb;
  }
}

}  // namespace
}  // namespace larder::test
