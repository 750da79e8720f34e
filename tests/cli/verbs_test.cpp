// The verbs beside `exec`, from outside: text, --json and exit codes.
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <larder/larder.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "format/snapshot.hpp"
#include "sandbox.hpp"
#include "store/format.hpp"
#include "store/store.hpp"
#include "support/sanitizers.hpp"

namespace larder::test {
namespace {

class Verbs : public Sandbox {
 public:
  void put(const std::string& key, const std::string& value, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"put", key});
    const Ran ran = larder(options, {.input = value});
    ASSERT_EQ(ran.status, 0) << ran.err;
  }
  // Changes one byte of every segment.
  void damage(std::streamoff offset) {
    for (const auto& segment : std::filesystem::directory_iterator(store() / "v1" / "seg")) {
      std::fstream file(segment.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(offset);
      const int old = file.get();
      file.seekp(offset);
      file.put(static_cast<char>(old ^ 0xff));
      ASSERT_TRUE(file.good());
    }
  }
  // Makes the store that user's own, and lets him reach it.
  void give_to(std::optional<uid_t> user) {
    open_to_all();
    if (!user) return;
    ASSERT_EQ(::chown(store().c_str(), *user, *user), 0);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store())) {
      ASSERT_EQ(::chown(entry.path().c_str(), *user, *user), 0);
    }
  }
  // The store, as a program uses it.
  Cache open() { return Cache::open({.directory = store(), .write = WriteMode::through}).value(); }
};

TEST_F(Verbs, EveryVerbExplainsItselfWithAnExample) {
  for (const char* verb : {"exec", "get", "put", "has", "rm", "info", "ls", "stats", "invalidate", "clear", "verify",
                           "compact", "doctor", "simulate", "key"}) {
    const Ran help = larder({"help", verb});
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.out.find(std::string("Usage: larder ") + verb + " [OPTION]..."), std::string::npos) << help.out;
    EXPECT_NE(help.out.find(std::string("Example:\n  ")), std::string::npos) << help.out;
    EXPECT_EQ(larder({verb, "--help"}).out, help.out);
  }
  EXPECT_NE(larder({"--help"}).out.find("Exit codes: 0 ok"), std::string::npos);
  EXPECT_EQ(larder({"help"}).out, larder({"--help"}).out);
  EXPECT_EQ(larder({"--version"}).out, "larder 0.1.0\n");
}

TEST_F(Verbs, AnUnknownVerbIsAUsageErrorThatNamesTheNearest) {
  const Ran ran = larder({"stat"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.err, "larder: error: `stat` is not a verb of larder\n  help: did you mean `larder stats`?\n");
  EXPECT_EQ(larder({"frobnicate"}).err, "larder: error: `frobnicate` is not a verb of larder\n  help: larder --help\n");
  EXPECT_EQ(larder({"help", "verfy"}).err,
            "larder: error: `verfy` is not a verb of larder\n  help: did you mean `larder verify`?\n");
  EXPECT_EQ(larder({}).status, 2);
}

TEST_F(Verbs, AnUnknownOptionAndAMissingKeyAreUsageErrors) {
  const Ran ran = larder({"get", "--bogus", "a"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.err, "larder: error: The following argument was not expected: --bogus\n  help: larder help get\n");
  EXPECT_EQ(larder({"get"}).status, 2);
  EXPECT_EQ(larder({"ls", "--sort", "beauty"}).status, 2);
  EXPECT_EQ(larder({"put", "a", "--ttl", "soon"}).status, 2);
}

TEST_F(Verbs, WhereNothingWasStoredYetEveryQuestionHasAnAnswerAndMakesNothing) {
  const std::string text =
      "no store at " + store().string() + " yet (it is made by the first `larder exec` or `larder put`)";
  const std::vector<std::pair<std::vector<std::string>, int>> questions = {
      {{"get", "a"}, 3}, {{"has", "a"}, 3}, {{"info", "a"}, 3},      {{"rm", "a"}, 3},         {{"ls"}, 0},
      {{"stats"}, 0},    {{"clear"}, 0},    {{"clear", "--yes"}, 0}, {{"invalidate", "t"}, 0}, {{"verify"}, 5},
      {{"compact"}, 5},  {{"doctor"}, 5}};
  for (const auto& [question, status] : questions) {
    const Ran ran = larder(question);
    EXPECT_EQ(ran.status, status) << question[0];
    EXPECT_NE((ran.out + ran.err).find(text), std::string::npos) << question[0] << ran.err;
    EXPECT_FALSE(std::filesystem::exists(store())) << question[0];
  }
  EXPECT_EQ(json({"has", "a"}), nlohmann::json({{"found", false}}));
  EXPECT_EQ(json({"ls"}), nlohmann::json::array());
  EXPECT_EQ(json({"stats"})["entries"], 0);
  EXPECT_EQ(json({"stats"})["directory"], store().string());
  EXPECT_EQ(json({"clear"})["removed"], 0);
  EXPECT_EQ(json({"rm", "a"})["missing"], nlohmann::json::array({"a"}));
  EXPECT_EQ(nlohmann::json::parse(larder({"--json", "get", "a"}).err)["exit"], 3);
  EXPECT_FALSE(std::filesystem::exists(store()));
}

TEST_F(Verbs, WhatIsPutIsGotByteForByte) {
  std::string every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  put("every", every);
  put("empty", "");
  EXPECT_EQ(larder({"get", "every"}).out, every);
  const Ran empty = larder({"get", "empty"});
  EXPECT_EQ(empty.status, 0);
  EXPECT_EQ(empty.out, "");
  write("file", "from a file");
  EXPECT_EQ(larder({"put", "file", "file"}).status, 0);
  EXPECT_EQ(larder({"get", "file"}).out, "from a file");
  put("file", "replaced");
  EXPECT_EQ(larder({"get", "file"}).out, "replaced");
}

TEST_F(Verbs, PutSaysWhatItStored) {
  const std::string name = Key("greeting").short_text();
  EXPECT_EQ(larder({"put", "greeting"}, {.input = "hello"}).err, "larder: stored " + name + " (5 B)\n");
  EXPECT_EQ(larder({"-q", "put", "greeting"}, {.input = "hello"}).err, "");
  const Ran ran = larder({"put", "greeting", "--json"}, {.input = "hello"});
  const nlohmann::json json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["key"], name);
  EXPECT_EQ(json["bytes"], 5);
  EXPECT_EQ(json["fingerprint"], Key("greeting").fingerprint().hex());
}

TEST_F(Verbs, WhatIsPutIsCompressedAsTheOptionOrTheVariableSays) {
  const std::string text(5000, 'a');
  const std::map<std::string, std::string> lz4 = {{"LARDER_COMPRESS", "lz4"}};
  ASSERT_EQ(larder({"put", "--compress", "zstd", "option"}, {.input = text}).status, 0);
  ASSERT_EQ(larder({"put", "variable"}, {.input = text, .environment = lz4}).status, 0);
  ASSERT_EQ(larder({"put", "--compress", "none", "both"}, {.input = text, .environment = lz4}).status, 0);
  for (const char* key : {"option", "variable"}) {
    EXPECT_EQ(larder({"get", key}).out, text);
    EXPECT_EQ(json({"info", key})["bytes"], 5000);
    const std::uint64_t bytes = json({"info", key})["compressed_bytes"];
    EXPECT_LT(bytes, 200U);
    EXPECT_NE(larder({"info", key}).out.find("\ncompressed   " + format_size(bytes)), std::string::npos);
    EXPECT_NE(larder({"ls", key}).out.find("  " + format_size(bytes) + "  "), std::string::npos);
  }
  EXPECT_TRUE(json({"info", "both"})["compressed_bytes"].is_null());
  EXPECT_EQ(larder({"info", "both"}).out.find("compressed"), std::string::npos);
  EXPECT_NE(larder({"stats"}).out.find("\nSmaller   2 values, by "), std::string::npos);
}

TEST_F(Verbs, AWayToCompressThatThereIsNotIsRefused) {
  EXPECT_EQ(larder({"put", "--compress", "zip", "a"}, {.input = "hello"}).status, 2);
  const Ran ran = larder({"put", "a"}, {.input = "hello", .environment = {{"LARDER_COMPRESS", "zip"}}});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.err,
            "larder: error: LARDER_COMPRESS: `zip` is no way to compress\n"
            "  help: set it to none, lz4, zstd or auto, or not at all\n");
}

TEST_F(Verbs, PutOfAFileThatIsNotThereFails) {
  const Ran ran = larder({"put", "a", "missing"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.err, "larder: error: missing cannot be read: No such file or directory\n");
  EXPECT_FALSE(std::filesystem::exists(store()));
  EXPECT_EQ(larder({"put", "a", ""}).err,
            "larder: error: the name of the file is empty\n  help: name a file, or - for standard input\n");
}

TEST_F(Verbs, PutReadsNoMoreThanTheStoreMayHold) {
  ASSERT_TRUE(Cache::open({.directory = store(), .store = Size("16MiB")}));
  const std::string too_large =
      "larder: error: it is larger than the store's limit of 16 MiB allows\n"
      "  help: a program may raise the limit: Options::store\n";
  const Ran endless = larder({"put", "a", "/dev/zero"});
  EXPECT_EQ(endless.status, 8);
  EXPECT_EQ(endless.err, too_large);
  const Ran input = shell("larder put a < /dev/zero");
  EXPECT_EQ(input.status, 8);
  EXPECT_EQ(input.err, too_large);
  put("kept", "x");
  ASSERT_EQ(shell("truncate -s 17M large").status, 0);
  const Ran file = larder({"put", "a", "large"});
  EXPECT_EQ(file.status, 8);
  EXPECT_EQ(file.err, too_large);
  EXPECT_EQ(larder({"get", "kept"}).out, "x") << "what cannot fit displaces nothing";
}

TEST_F(Verbs, GetPrintsAPartOfAValue) {
  std::string large(9'000'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * i >> 7);
  put("large", large);
  put("small", "0123456789");
  EXPECT_TRUE(larder({"get", "large"}).out == large);
  EXPECT_EQ(larder({"get", "large", "--offset", "4000000", "--length", "3000000"}).out, large.substr(4000000, 3000000));
  EXPECT_EQ(larder({"get", "large", "--offset", "8999999"}).out, large.substr(8999999));
  EXPECT_EQ(larder({"get", "small", "--length", "3"}).out, "012");
  EXPECT_EQ(larder({"get", "small", "--offset", "8", "--length", "9"}).out, "89");
  EXPECT_EQ(larder({"get", "small", "--offset", "10"}).out, "");
  EXPECT_EQ(larder({"get", "small", "--length", "0"}).out, "");
  EXPECT_EQ(json({"get", "small", "--offset", "1", "--length", "2"})["base64"], "MTI=");
  EXPECT_EQ(larder({"get", "small", "--offset", "-1"}).status, 2);
}

TEST_F(Verbs, OfTwoPutsAtOnceOneStandsAndBothSucceed) {
  const Ran ran = shell(R"(
mkfifo in
larder -q put a in & slow=$!
exec 3>in
echo slow >&3
echo fast | larder -q put a
exec 3>&-
wait $slow)");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(larder({"get", "a"}).out.empty());
}

TEST_F(Verbs, PutAndGetDoNotHoldALargeValueInMemory) {
  const Ran ran = shell(R"(
mkfifo in out
larder -q put a in & tool=$!
exec 3>in
head -c 268435456 /dev/zero >&3
grep RssAnon /proc/$tool/status
exec 3>&-
wait $tool || exit 1
larder get a >out & tool=$!
exec 3<out
head -c 260000000 <&3 >/dev/null
grep RssAnon /proc/$tool/status
cat <&3 | wc -c
wait $tool)");
  ASSERT_EQ(ran.status, 0) << ran.err;
  unsigned long putting = 0;
  unsigned long getting = 0;
  unsigned long rest = 0;
  ASSERT_EQ(std::sscanf(ran.out.c_str(), "RssAnon: %lu kB RssAnon: %lu kB %lu", &putting, &getting, &rest), 3)
      << ran.out;
  if (!test::k_thread_sanitizer) {  // which holds something for every byte that is touched
    EXPECT_LT(putting, 64UL * 1024);
    EXPECT_LT(getting, 64UL * 1024);
  }
  EXPECT_EQ(rest, 268435456UL - 260000000UL);
}

TEST_F(Verbs, AValueWhoseTimeIsOverIsNotFound) {
  put("short", "x", {"--ttl", "1ms"});
  put("long", "x", {"--ttl", "1h"});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(larder({"has", "short"}).status, 3);
  EXPECT_EQ(larder({"get", "short"}).status, 3);
  EXPECT_EQ(larder({"has", "long"}).status, 0);
  EXPECT_EQ(larder({"put", "none", "--ttl", "0"}, {.input = "x"}).status, 2);
}

TEST_F(Verbs, ProgramsAndTheToolReadEachOther) {
  put("from-tool", "bytes");
  Cache cache = open();
  const auto bytes = cache.get<std::vector<std::byte>>(Key("from-tool"));
  ASSERT_TRUE(bytes);
  EXPECT_EQ((*bytes)->size(), 5U);
  const std::vector<double> numbers = {1.5, -2.0};
  cache.put(Key("numbers", 3), numbers);
  cache.put(Key("name"), std::string("larder"));
  cache.flush();
  EXPECT_EQ(larder({"get", "name"}).out, "larder");
  // Of other types the encoded bytes: a count, padding and the elements.
  Encoder encoder;
  encode(numbers, encoder);
  const std::vector<std::byte> encoded = encoder.joined();
  EXPECT_EQ(larder({"get", Key("numbers", 3).short_text()}).out,
            std::string(reinterpret_cast<const char*>(encoded.data()), encoded.size()));
  EXPECT_EQ(json({"info", Key("numbers", 3).short_text()})["type"], "f64[]");
}

TEST_F(Verbs, GetAsJsonCarriesTheBytesInBase64) {
  put("a", "hello");
  put("b", "hell");
  EXPECT_EQ(json({"get", "a"})["base64"], "aGVsbG8=");
  EXPECT_EQ(json({"get", "b"})["base64"], "aGVsbA==");
  EXPECT_EQ(json({"get", "a"})["bytes"], 5);
  EXPECT_EQ(json({"get", "a"})["type"], "byte[]");
}

TEST_F(Verbs, WhatIsNotThereEndsWith3) {
  put("a", "x");
  const Ran get = larder({"get", "b"});
  EXPECT_EQ(get.status, 3);
  EXPECT_EQ(get.err, "larder: error: there is no entry `b`\n  help: larder ls\n");
  EXPECT_EQ(larder({"info", "b"}).status, 3);
  EXPECT_EQ(larder({"get", "b#12345678"}).status, 3);
  const Ran has = larder({"has", "b"});
  EXPECT_EQ(has.status, 3);
  EXPECT_EQ(has.out + has.err, "");
  EXPECT_EQ(json({"has", "b"})["found"], false);
  EXPECT_EQ(json({"has", "a"})["found"], true);
  const nlohmann::json error = nlohmann::json::parse(larder({"--json", "get", "b"}).err);
  EXPECT_EQ(error["exit"], 3);
  EXPECT_EQ(error["error"], "there is no entry `b`");
}

TEST_F(Verbs, AnEntryIsSelectedByNameAndDigits) {
  put("a", "x");
  const std::string digits = Key("a").fingerprint().hex();
  for (const std::size_t length : {4U, 8U, 32U}) EXPECT_EQ(larder({"get", "a#" + digits.substr(0, length)}).out, "x");
  EXPECT_EQ(larder({"get", "a#" + digits.substr(0, 3)}).status, 3) << "too few digits";
  EXPECT_EQ(larder({"get", "b#" + digits.substr(0, 8)}).status, 3) << "another name";
  put("a#beef", "plain");
  EXPECT_EQ(larder({"get", "a#beef"}).out, "plain") << "a key of that text comes first";
}

TEST_F(Verbs, WhatLsPrintsSelectsTheEntryWhateverItsName) {
  for (const std::string& name : {std::string(100, 'k'), std::string("a\x1b[31mb\n"), std::string("back\\slash"),
                                  std::string("c\xc2\x80\xff"), std::string("sharp#sharp")}) {
    put(name, name);
    const std::string text = larder({"ls"}).out;
    const std::size_t row = text.find('\n') + 1;
    const std::string printed = text.substr(row, text.find("  ", row) - row);
    EXPECT_EQ(printed, Key(name).short_text());
    EXPECT_EQ(larder({"get", printed}).out, name);
    const std::string digits = Key(name).fingerprint().hex();
    EXPECT_EQ(larder({"get", name + "#" + digits}).out, name) << "the name as it is";
    EXPECT_EQ(larder({"rm", printed}).status, 0);
  }
}

TEST_F(Verbs, AnAmbiguousSelectionNamesTheCandidates) {
  // Two keys of one name whose fingerprints begin with the same four digits.
  std::map<std::string, int> seen;
  int first = -1;
  int second = -1;
  for (int i = 0; second < 0; ++i) {
    const auto [found, fresh] = seen.emplace(Key("f", i).fingerprint().hex().substr(0, 4), i);
    if (!fresh) {
      first = found->second;
      second = i;
    }
  }
  {
    Cache cache = open();
    cache.put(Key("f", first), 1);
    cache.put(Key("f", second), 2);
  }
  const Ran ran = larder({"get", "f#" + Key("f", first).fingerprint().hex().substr(0, 4)});
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("means 2 entries"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("f#" + Key("f", first).fingerprint().hex()), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("f#" + Key("f", second).fingerprint().hex()), std::string::npos) << ran.err;
  EXPECT_EQ(larder({"has", Key("f", first).short_text()}).status, 0);
}

TEST_F(Verbs, RmRemovesWhatIsThereAndTellsWhatIsNot) {
  put("a", "x");
  put("b", "x");
  put("c", "x");
  const Ran ran = larder({"rm", "a", "missing", Key("b").short_text()});
  EXPECT_EQ(ran.status, 3);
  EXPECT_EQ(ran.err, "larder: removed " + Key("a").short_text() + "\nlarder: removed " + Key("b").short_text() +
                         "\nlarder: error: there is no entry `missing`\n  help: larder ls\n");
  EXPECT_EQ(larder({"has", "a"}).status, 3);
  EXPECT_EQ(larder({"has", "b"}).status, 3);
  const nlohmann::json removed = json({"rm", "c", "missing"});
  EXPECT_EQ(removed["removed"], nlohmann::json::array({Key("c").short_text()}));
  EXPECT_EQ(removed["missing"], nlohmann::json::array({"missing"}));
  EXPECT_EQ(larder({"rm", "a", "--bogus"}).status, 2);
}

TEST_F(Verbs, WordsBehindTwoDashesMayStartWithADash) {
  const auto put_all = [&] {
    for (const char* key : {"-k", "-l", "--", "a"}) {
      EXPECT_EQ(larder({"put", "--", key}, {.input = key}).status, 0) << key;
    }
  };
  put_all();
  EXPECT_EQ(larder({"get", "--", "-k"}).out, "-k");
  EXPECT_EQ(larder({"has", "--", "-k"}).status, 0);
  EXPECT_EQ(larder({"info", "--", "-k"}).status, 0);
  EXPECT_EQ(larder({"rm", "-k"}).status, 2);
  EXPECT_EQ(larder({"rm", "a", "-k", "--", "-l"}).status, 2);
  EXPECT_EQ(larder({"has", "a"}).status, 0) << "what is refused changes nothing";
  EXPECT_EQ(json({"rm", "--", "-k", "-l", "--"})["removed"].size(), 3U);
  put_all();
  EXPECT_EQ(json({"rm", "a", "--", "-k", "--"})["removed"].size(), 3U);
  EXPECT_EQ(json({"key", "--", "-f", "-x", "[a,b]"})["fingerprint"], Key("-f", "-x", "[a,b]").fingerprint().hex());
  EXPECT_EQ(json({"key", "f", "-1", "--", "-x"})["fingerprint"], Key("f", -1, "-x").fingerprint().hex());
}

TEST_F(Verbs, InfoSaysWhatIsKnown) {
  put("a", "hello", {"--ttl", "1h"});
  const std::string text = larder({"info", "a"}).out;
  EXPECT_EQ(text.find("key          " + Key("a").short_text() + "\ntext         a\nfingerprint  " +
                      Key("a").fingerprint().hex() + "\ntype         byte[]\nsize         "),
            0U)
      << text;
  const nlohmann::json json = this->json({"info", "a"});
  for (const char* field : {"key", "name", "fingerprint", "text", "type", "bytes", "cost_ns", "created", "expires"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_TRUE(json["expires"].is_string());
  put("b", "hello");
  EXPECT_TRUE(this->json({"info", "b"})["expires"].is_null());
}

TEST_F(Verbs, TheSizeOfAValueIsTheSameForPutGetLsAndInfo) {
  const auto expect = [&](const std::string& key, std::size_t size) {
    EXPECT_EQ(json({"get", key})["bytes"], size);
    EXPECT_EQ(json({"info", key})["bytes"], size);
    EXPECT_EQ(json({"ls", key})[0]["bytes"], size);
    const std::string text = format_size(size);
    EXPECT_NE(larder({"info", key}).out.find(" " + text + " (" + std::to_string(size) + " bytes)\n"),
              std::string::npos);
    EXPECT_NE(larder({"ls", key}).out.find("  " + text + "  "), std::string::npos);
  };
  // Around the sizes from which on bytes are aligned in their encoded form.
  for (const std::size_t size : {0U, 3U, 4095U, 4096U, 4160U, 65535U, 65536U, 70000U}) {
    const std::string key = "bytes-" + std::to_string(size);
    EXPECT_EQ(nlohmann::json::parse(larder({"put", key, "--json"}, {.input = std::string(size, 'x')}).out)["bytes"],
              size);
    expect(key, size);
  }
  {
    Cache cache = open();
    cache.put(Key("text"), std::string(70000, 't'));
    cache.put(Key("numbers"), std::vector<double>{1.5, -2.0});
  }
  expect("text", 70000);
  expect("numbers", larder({"get", "numbers"}).out.size());
}

class Listing : public Verbs {
 public:
  Listing() {
    Cache cache = open();
    cache.put(Key("small"), std::string("1"), {.cost = std::chrono::seconds(3)});
    cache.put(Key("medium"), std::string(100, '2'), {.cost = std::chrono::seconds(1)});
    cache.put(Key("large"), std::string(10000, '3'), {.cost = std::chrono::seconds(2)});
  }
  std::vector<std::string> names(std::vector<std::string> options) {
    options.insert(options.begin(), "ls");
    std::vector<std::string> result;
    for (const nlohmann::json& entry : json(options)) result.push_back(entry["name"]);
    return result;
  }
};

TEST_F(Listing, IsSortedAsAsked) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"--sort", "cost"}), (Names{"small", "large", "medium"}));
  EXPECT_EQ(names({"--sort", "size"}), (Names{"large", "medium", "small"}));
  EXPECT_EQ(names({"--sort", "key"}), (Names{"large", "medium", "small"}));
  EXPECT_EQ(names({"--sort", "cost", "--limit", "1"}), Names{"small"});
  EXPECT_EQ(names({"--sort", "key", "*m*l*"}), Names{"small"});
  EXPECT_EQ(names({"nothing*"}), Names{});
}

TEST_F(Listing, IsATableWithAHeader) {
  const std::string text = larder({"ls", "--sort", "cost", "--limit", "1"}).out;
  const std::size_t end = text.find('\n');
  EXPECT_EQ(text.find("KEY"), 0U) << text;
  const std::string row = text.substr(end + 1);
  EXPECT_EQ(row.find(Key("small").short_text() + "  "), 0U) << row;
  EXPECT_NE(row.find("  3 s  "), std::string::npos) << row;
  EXPECT_NE(row.find("  never  "), std::string::npos) << row;
  EXPECT_EQ(larder({"ls", "nothing*"}).out, "");
}

TEST_F(Verbs, ControlCharactersOfANameDoNotReachTheTerminal) {
  put("a\x1b[31mb\n", "x");
  const std::string text = larder({"ls"}).out;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_EQ(larder({"get", "no\x1b[31msuch"}).err.find('\x1b'), std::string::npos);
}

TEST_F(Verbs, StatsCountsWhatAllProcessesDid) {
  for (int i = 0; i < 3; ++i) larder({"exec", "--", "sleep", "0.1"});
  const nlohmann::json json = this->json({"stats"});
  EXPECT_EQ(json["directory"], store().string());
  EXPECT_EQ(json["lookups"], 3);
  EXPECT_EQ(json["hits"], 2);
  EXPECT_EQ(json["store_hit"], 2);
  EXPECT_EQ(json["miss_absent"], 1);
  EXPECT_EQ(json["computation"], 1);
  EXPECT_EQ(json["entries"], 1);
  EXPECT_GT(json["saved_ns"], 100'000'000);
  EXPECT_GT(json["store_limit"], 0);
  for (const auto& [name, value] : json.items()) EXPECT_FALSE(value.is_structured()) << name;
  const std::string text = larder({"stats"}).out;
  EXPECT_EQ(text.find("Store     " + store().string() + ": "), 0U) << text;
  EXPECT_NE(text.find("\nLookups   3: 2 hits (66.7 %), 1 misses, 0 waited for another's computation\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nHits      memory 0 · store 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nMisses    absent 1 · expired 0 · invalidated 0 · damaged 0 · degraded 0\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("\nSaved     "), std::string::npos) << text;
}

TEST_F(Verbs, InvalidatePutsEverythingWithATagOutOfDateAndNothingElse) {
  put("untagged", "x");
  EXPECT_EQ(larder({"put", "one", "--tag", "t"}, {.input = "x"}).status, 0);
  EXPECT_EQ(larder({"put", "two", "--tag", "t", "--tag", "u"}, {.input = "x"}).status, 0);
  EXPECT_EQ(larder({"put", "three", "--tag", "u"}, {.input = "x"}).status, 0);
  EXPECT_EQ(larder({"invalidate", "t", "nobody's"}).err, "larder: invalidated t\nlarder: invalidated nobody's\n");
  EXPECT_EQ(larder({"has", "one"}).status, 3);
  EXPECT_EQ(larder({"has", "two"}).status, 3);
  EXPECT_EQ(larder({"has", "three"}).status, 0);
  EXPECT_EQ(larder({"has", "untagged"}).status, 0);
  EXPECT_EQ(json({"invalidate", "u"})["invalidated"], nlohmann::json::array({"u"}));
  EXPECT_EQ(json({"ls"}).size(), 1U);
  EXPECT_EQ(json({"stats"})["invalidated"], 3);
}

TEST_F(Verbs, ATagThatCannotBeIsAUsageError) {
  EXPECT_EQ(larder({"invalidate", ""}).err, "larder: error: a tag is empty\n  help: give it a name\n");
  EXPECT_EQ(larder({"invalidate"}).status, 2);
  EXPECT_EQ(larder({"put", "a", "--tag", ""}, {.input = "x"}).status, 2);
  EXPECT_EQ(larder({"exec", "--tag", "", "--", "true"}).status, 2);
  EXPECT_FALSE(std::filesystem::exists(store()));
}

TEST_F(Verbs, ClearAsksForYesWhereThereIsNoTerminal) {
  put("a", "x");
  const Ran refused = larder({"clear"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err,
            "larder: error: 1 entry of " + store().string() + " would be removed\n  help: larder clear --yes\n");
  EXPECT_EQ(larder({"has", "a"}).status, 0);
  EXPECT_EQ(larder({"clear", "--yes"}).err, "larder: removed 1 entry\n");
  EXPECT_EQ(larder({"has", "a"}).status, 3);
  put("b", "x");
  EXPECT_EQ(json({"clear", "--yes"})["removed"], 1);
}

TEST_F(Verbs, DoctorFindsASoundStoreSound) {
  put("a", "x");
  const Ran ran = larder({"doctor"});
  EXPECT_EQ(ran.status, 0) << ran.out;
  for (const char* check : {"file system", "permissions", "space", "store", "index", "journal", "writing", "locks",
                            "files", "values held", "clock", "trial", "mappings", "open files"}) {
    EXPECT_NE(ran.out.find(std::string("ok    ") + check), std::string::npos) << ran.out;
  }
  for (const nlohmann::json& check : json({"doctor"})) {
    EXPECT_EQ(check["state"], "ok");
    EXPECT_EQ(check["cure"], "");
  }
}

TEST_F(Verbs, DoctorRefusesADirectoryThatOthersMayWriteAsExecDoes) {
  put("a", "x");
  std::filesystem::permissions(store(), std::filesystem::perms::others_write, std::filesystem::perm_options::add);
  EXPECT_EQ(larder({"exec", "--require-cache", "--", "true"}).status, 125);
  const Ran ran = larder({"doctor"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.out.find("cure: chmod go-w " + store().string()), std::string::npos) << ran.out;
}

TEST_F(Verbs, DoctorRefusesADirectoryThatThisUserMayNotWrite) {
  open_to_all();
  for (const bool there : {true, false}) {
    if (there) std::filesystem::create_directory(store());
    std::filesystem::permissions(there ? store() : store().parent_path(), std::filesystem::perms(0555));
    const How how{.user = ordinary_user()};
    EXPECT_EQ(larder({"exec", "--require-cache", "--", "true"}, how).status, 125);
    const Ran ran = larder({"doctor"}, how);
    EXPECT_EQ(ran.status, 1) << ran.out;
    EXPECT_NE(ran.out.find("fail  permissions"), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("cure: "), std::string::npos) << ran.out;
    if (there) std::filesystem::remove(store());
  }
  std::filesystem::permissions(store().parent_path(), std::filesystem::perms(0755));
}

TEST_F(Verbs, DoctorRefusesAFileInThePlaceOfADirectory) {
  write("file", "");
  for (const std::string directory : {work() / "file", work() / "file" / "below"}) {
    const Ran ran = larder({"doctor", "--dir", directory});
    EXPECT_EQ(ran.status, 1);
    EXPECT_NE(ran.out.find("file is not a directory"), std::string::npos) << ran.out;
    EXPECT_EQ(larder({"ls", "--dir", directory}).status, 1);
  }
  std::filesystem::create_symlink("nowhere", work() / "link");
  EXPECT_EQ(larder({"doctor", "--dir", work() / "link"}).status, 1);
}

TEST_F(Verbs, DoctorRefusesAStoreInWhichSomeDirectoryMayNotBeWritten) {
  put("a", "x");
  const How how{.user = ordinary_user()};
  give_to(how.user);
  EXPECT_EQ(larder({"doctor"}, how).status, 0);
  std::filesystem::permissions(store() / "v1" / "seg", std::filesystem::perms(0500));
  const Ran ran = larder({"doctor"}, how);
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.out.find("cure: chmod u+rwx " + (store() / "v1" / "seg").string()), std::string::npos) << ran.out;
  std::filesystem::permissions(store() / "v1" / "seg", std::filesystem::perms(0700));
}

TEST_F(Verbs, DoctorRefusesAFileSystemThatProcessesCannotShare) {
  const Ran ran = shell("unshare -m sh -c 'mount -t ramfs none . && cd . && larder doctor --dir \"$PWD\"/s' 2>&1");
  if (ran.out.find("ramfs") == std::string::npos) GTEST_SKIP() << "this system allows no mounts: " << ran.out;
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.out.find("fail  trial"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("cure: set LARDER_DIR to a directory on a local file system"), std::string::npos) << ran.out;
}

TEST_F(Verbs, DoctorRefusesAStoreOfAnotherFormat) {
  std::filesystem::create_directories(store() / "v2");
  const Ran ran = larder({"doctor"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.out.find("was made by a newer larder"), std::string::npos) << ran.out;
  EXPECT_NE(larder({"ls"}).err.find("was made by a newer larder"), std::string::npos);
}

TEST_F(Verbs, EveryVerbRefusesAStoreOfAnotherFormatAndTouchesNothing) {
  put("a", "x");
  write("file", "x");
  const std::vector<std::vector<std::string>> verbs = {{"get", "a"},        {"put", "a", "file"},
                                                       {"has", "a"},        {"rm", "a"},
                                                       {"info", "a"},       {"ls"},
                                                       {"stats"},           {"verify"},
                                                       {"invalidate", "t"}, {"verify", "--repair"},
                                                       {"compact"},         {"doctor"},
                                                       {"clear", "--yes"},  {"exec", "--require-cache", "--", "true"}};
  const auto expect_refused = [&](const std::string& what) {
    const auto before = snapshot(store());
    for (const std::vector<std::string>& verb : verbs) {
      const Ran ran = larder(verb);
      EXPECT_EQ(ran.status, verb[0] == "exec" ? 125 : 1) << verb[0];
      EXPECT_NE((ran.out + ran.err).find(what), std::string::npos) << verb[0] << ran.out << ran.err;
      EXPECT_NE((ran.out + ran.err).find("use that larder, or another directory"), std::string::npos) << ran.err;
    }
    const Ran exec = larder({"exec", "--", "echo", "done"});
    EXPECT_EQ(exec.out, "done\n") << "uncached";
    EXPECT_EQ(snapshot(store()), before);
  };
  std::filesystem::rename(store() / "v1", store() / "v2");
  expect_refused("was made by a newer larder: it has v2");
  std::filesystem::rename(store() / "v2", store() / "v1");
  const auto write_page = [&](std::streamoff offset, std::uint32_t value) {
    alignas(store::ControlPage) std::array<char, sizeof(store::ControlPage)> bytes{};
    std::fstream file(store() / "v1" / "control", std::ios::in | std::ios::out | std::ios::binary);
    file.read(bytes.data(), bytes.size());
    std::memcpy(bytes.data() + offset, &value, sizeof value);
    auto& page = *reinterpret_cast<store::ControlPage*>(bytes.data());
    page.checksum = control_checksum(page);
    file.seekp(0);
    file.write(bytes.data(), bytes.size());
    ASSERT_TRUE(file.good());
  };
  write_page(offsetof(store::ControlPage, format), store::k_format + 1);
  expect_refused("was made by a newer larder: its format is 2");
  write_page(offsetof(store::ControlPage, format), store::k_format - 1);
  expect_refused("was made by an older larder: its format is 0");
  write_page(offsetof(store::ControlPage, format), store::k_format);
  write_page(offsetof(store::ControlPage, features), 4);
  expect_refused("was made by a newer larder: this one does not know its features 4");
  write_page(offsetof(store::ControlPage, features), 0);
  EXPECT_EQ(larder({"get", "a"}).out, "x");
}

TEST_F(Verbs, WhoHoldsValuesIsNamedByStatsAndDoctorAndToWhoIsRefusedRoom) {
  Cache cache =
      Cache::open({.directory = this->store(), .store = "16MiB", .memory = 0, .write = WriteMode::through}).value();
  EXPECT_EQ(larder({"stats"}).out.find("Held"), std::string::npos);
  const std::string value(1'500'000, 'v');
  std::vector<Ref<std::string_view>> held;
  for (int i = 0; i < 8; ++i) {
    cache.put<std::string_view>(Key("held", i), value);
    held.push_back(*cache.get<std::string_view>(Key("held", i)));
  }
  const std::string us = std::to_string(::getpid()) + " cli_test (";
  EXPECT_NE(larder({"stats"}).out.find("\nHeld      1 process holds "), std::string::npos);
  EXPECT_NE(larder({"stats"}).out.find(us), std::string::npos);
  EXPECT_EQ(json({"stats"})["holding_processes"], 1);
  EXPECT_EQ(larder({"doctor"}).status, 0) << "that values are in use is no trouble";
  const Ran refused = larder({"put", "large"}, {.input = std::string(6'000'000, 'l')});
  EXPECT_EQ(refused.status, 8);
  EXPECT_NE(refused.err.find(us), std::string::npos) << refused.err;
  const Ran doctor = larder({"doctor"});
  EXPECT_EQ(doctor.status, 4) << doctor.out;
  EXPECT_NE(doctor.out.find("warn  values held  1 value found no room"), std::string::npos) << doctor.out;
  EXPECT_NE(doctor.out.find(us), std::string::npos) << doctor.out;
  EXPECT_NE(doctor.out.find("cure: let these programs destroy their handles"), std::string::npos) << doctor.out;
}

TEST_F(Verbs, DoctorFindsFilesThatAreMissingOrBelongToNothing) {
  put("a", "x");
  const std::filesystem::path v1 = store() / "v1";
  std::ofstream(v1 / "seg" / "00000000000000ff.seg") << "x";
  std::filesystem::remove(v1 / "locks" / "pin.3");
  const Ran ran = larder({"doctor"});
  EXPECT_EQ(ran.status, 4) << ran.out;
  EXPECT_NE(ran.out.find("warn  locks        1 lock file is missing"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("00000000000000ff.seg is no file of the store\n      cure: larder verify --repair"),
            std::string::npos)
      << ran.out;
  EXPECT_EQ(larder({"verify", "--repair"}).status, 0);
  EXPECT_EQ(larder({"doctor"}).status, 0) << larder({"doctor"}).out;
}

TEST_F(Verbs, DoctorFindsEntriesFromTheFuture) {
  put("a", "x");
  {
    observe::Counters counters;
    store::StoreOptions options;
    options.directory = this->store();
    options.counters = &counters;
    const auto store = store::Store::open(options).value();
    const Key key("tomorrow");
    const auto tomorrow = std::chrono::system_clock::now() + std::chrono::hours(24);
    store::Meta meta;
    meta.type = "text";
    meta.created_ms = std::chrono::duration_cast<std::chrono::milliseconds>(tomorrow.time_since_epoch()).count();
    ASSERT_EQ(store->put(key, meta, {}, store->stamp(key)), store::Put::stored);
  }
  const Ran ran = larder({"doctor"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_NE(ran.out.find("warn  clock        1 entry is from the future"), std::string::npos) << ran.out;
}

// Where the store is whole, no cure deletes it.
TEST_F(Verbs, DoctorNamesTheCureThatFitsWhatTheSystemRefuses) {
  put("a", "x");
#if !defined(__SANITIZE_ADDRESS__)  // with which the undefined-behaviour sanitizer takes a pipe to look at an object
  const Ran files = shell("ulimit -n 60; larder doctor");
  EXPECT_EQ(files.status, 1);
  EXPECT_NE(files.out.find("fail  store"), std::string::npos) << files.out;
  EXPECT_NE(files.out.find("Too many open files\n      cure: ulimit -n 1024 or more\n"), std::string::npos)
      << files.out;
  EXPECT_EQ(files.out.find("rm -r"), std::string::npos) << files.out;
#endif

  const std::filesystem::path v1 = store() / "v1";
  const How how{.user = ordinary_user()};
  give_to(how.user);
  std::filesystem::permissions(v1 / "control", std::filesystem::perms::none);
  const Ran modes = larder({"doctor"}, how);
  EXPECT_EQ(modes.status, 1);
  EXPECT_NE(modes.out.find("Permission denied\n      cure: sudo chown -R "), std::string::npos) << modes.out;
  EXPECT_NE(modes.out.find("chmod -R u+rwX " + v1.string()), std::string::npos) << modes.out;
  EXPECT_EQ(modes.out.find("rm -r"), std::string::npos) << modes.out;
}

TEST_F(Verbs, DoctorHasAStoreDeletedWhereSomethingElseStandsForAFile) {
  put("a", "x");
  const std::filesystem::path v1 = store() / "v1";
  std::filesystem::remove(v1 / "control");
  std::filesystem::create_directory(v1 / "control");
  const Ran ran = larder({"doctor"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.out.find("      cure: rm -r " + v1.string() + " ("), std::string::npos) << ran.out;
  std::filesystem::remove_all(v1);
  EXPECT_EQ(larder({"doctor"}).status, 5);
}

TEST_F(Verbs, DoctorSaysThatAFileSystemIsReadOnly) {
  put("a", "x");
  const Ran ran = shell(
      "unshare -m sh -c 'mount --bind -o ro \"$LARDER_DIR\" \"$LARDER_DIR\" && mount -o remount,bind,ro "
      "\"$LARDER_DIR\" && larder doctor; larder verify' 2>&1");
  if (ran.out.find("permissions") == std::string::npos) GTEST_SKIP() << "this system allows no mounts: " << ran.out;
  EXPECT_NE(ran.out.find("cure: mount it writable, or "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("1 record checked"), std::string::npos) << ran.out;
}

TEST_F(Verbs, DoctorLeavesNothingBehind) {
  larder({"doctor"});
  EXPECT_FALSE(std::filesystem::exists(store()));
  put("a", "x");
  const auto files = [&] {
    return std::distance(std::filesystem::recursive_directory_iterator(store().parent_path()),
                         std::filesystem::recursive_directory_iterator());
  };
  larder({"doctor"});
  const auto before = files();
  larder({"doctor"});
  EXPECT_EQ(files(), before + 3) << "what the test itself keeps of a run";
  EXPECT_EQ(larder({"get", "a"}).out, "x");
}

TEST_F(Verbs, WithoutAnyDirectoryForTheStoreTheErrorNamesTheVariableAndExecRuns) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become a user that has no home";
  open_to_all();
  const How how{.environment = {{"LARDER_DIR", ""}, {"HOME", ""}}, .user = 54321};
  const Ran ls = larder({"ls"}, how);
  EXPECT_EQ(ls.status, 5);
  EXPECT_NE(ls.err.find("LARDER_DIR"), std::string::npos) << ls.err;
  const Ran exec = larder({"exec", "--", "echo", "done"}, how);
  EXPECT_EQ(exec.status, 0);
  EXPECT_EQ(exec.out, "done\n");
  EXPECT_NE(exec.err.find("LARDER_DIR"), std::string::npos) << exec.err;
}

TEST_F(Verbs, WithoutLarderDirTheStoreIsBelowXdgCacheHome) {
  const std::string caches = (work() / "caches").string();
  const How how{.input = "x", .environment = {{"LARDER_DIR", ""}, {"XDG_CACHE_HOME", caches}}};
  EXPECT_EQ(larder({"put", "a"}, how).status, 0);
  EXPECT_EQ(larder({"get", "a", "--dir", caches + "/larder/default"}).out, "x");
  EXPECT_NE(larder({"--help"}).out.find("XDG_CACHE_HOME"), std::string::npos);
  EXPECT_NE(larder({"help", "get"}).out.find("$XDG_CACHE_HOME/larder/default"), std::string::npos);
}

TEST_F(Verbs, WithoutHomeTheStoreIsInTheHomeThatTheSystemKnows) {
  const passwd* user = ::getpwuid(::geteuid());
  if (user == nullptr) GTEST_SKIP() << "this user has no home";
  const Ran ran = larder({"doctor", "--json"}, {.environment = {{"LARDER_DIR", ""}, {"HOME", ""}}});
  EXPECT_NE(ran.out.find(std::string(user->pw_dir)), std::string::npos) << ran.out << ran.err;
}

TEST_F(Verbs, NumbersThatAreNoneAreRefusedByName) {
  for (const char* number : {"-1", "0", "garbage", "1.5", "", "99999999999999999999"}) {
    const Ran ran = larder({"ls", "--limit", number});
    EXPECT_EQ(ran.status, 2) << number;
    EXPECT_EQ(ran.err, std::string("larder: error: --limit: `") + number +
                           "` is not a whole number of 1 or more\n  help: larder help ls\n");
  }
  for (const char* number : {"-1", "x", "4294967296"}) EXPECT_EQ(larder({"key", "--version", number, "f"}).status, 2);
  put("a", "x");
  for (const char* ttl : {"0", "0s", "-1s", "soon", ""}) EXPECT_EQ(larder({"put", "a", "--ttl", ttl}).status, 2) << ttl;
  EXPECT_EQ(larder({"get", "a"}).out, "x") << "what is refused changes nothing";
}

TEST_F(Verbs, ACureReachesTheStoreThatWasAskedFor) {
  const std::string other = (work() / "other").string();
  ASSERT_EQ(larder({"put", "a", "--dir", other}, {.input = "x"}).status, 0);
  EXPECT_NE(larder({"get", "b", "--dir", other}).err.find("help: larder ls --dir " + other + "\n"), std::string::npos);
  EXPECT_NE(larder({"clear", "--dir", other}).err.find("help: larder clear --yes --dir " + other + "\n"),
            std::string::npos);
}

TEST_F(Verbs, WhatWasForgottenOrRefusedIsToldWhereThereWasAny) {
  put("a", "x");
  EXPECT_EQ(larder({"stats"}).out.find("Forgotten"), std::string::npos);
  // The counters start behind the 64 bytes of the file's header.
  const auto count = [&](Counter counter, std::uint64_t value) {
    std::fstream file(store() / "v1" / "stats", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(64 + 8 * static_cast<std::streamoff>(counter));
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
    ASSERT_TRUE(file.good());
  };
  count(Counter::index_evicted, 7);
  count(Counter::fault_no_space, 3);
  const std::string text = larder({"stats"}).out;
  EXPECT_NE(text.find("\nForgotten 7 entries, because the index was full"), std::string::npos) << text;
  EXPECT_NE(text.find("\nFaults    disk full 3\n"), std::string::npos) << text;
  const Ran doctor = larder({"doctor"});
  EXPECT_EQ(doctor.status, 4);
  EXPECT_NE(doctor.out.find("warn  index        forgotten because the index was full: 7 entries"), std::string::npos)
      << doctor.out;
}

TEST_F(Verbs, ValuesPassThroughPipesThatDoNotBlock) {
  const std::string value(1'000'000, 'v');
  ASSERT_EQ(larder({"put", "-q", "a"}, {.input = value, .non_blocking = true}).status, 0);
  const Ran ran = larder({"get", "a"}, {.non_blocking = true});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out.size(), value.size());
}

TEST_F(Verbs, KeyShowsHowAKeyIsWritten) {
  const Key key("spectrum", Version{3}, 4096, "hann");
  const std::string text = larder({"key", "--version", "3", "spectrum", "4096", "hann"}).out;
  EXPECT_EQ(text.find("key          " + key.short_text() + "\ntext         " + key.text() + "\nfingerprint  " +
                      key.fingerprint().hex() + "\ncanonical    "),
            0U)
      << text;
  EXPECT_EQ(json({"key", "f", "1"})["fingerprint"], Key("f", 1).fingerprint().hex());
  EXPECT_EQ(json({"key", "f", "\"1\""})["fingerprint"], Key("f", "1").fingerprint().hex());
  EXPECT_EQ(json({"key", "f", "1.0"})["fingerprint"], Key("f", 1.0).fingerprint().hex());
  EXPECT_EQ(json({"key", "f", "true"})["fingerprint"], Key("f", true).fingerprint().hex());
  EXPECT_EQ(json({"key", "f", "null"})["fingerprint"], Key("f", std::optional<int>()).fingerprint().hex());
  EXPECT_EQ(json({"key", "f", "-1", "a b"})["fingerprint"], Key("f", -1, "a b").fingerprint().hex());
  EXPECT_EQ(json({"key", "f", "[\"a\",\"b\"]"})["fingerprint"],
            Key("f", std::vector<std::string>{"a", "b"}).fingerprint().hex());
  EXPECT_EQ(json({"key", "f"})["fingerprint"], Key("f").fingerprint().hex());
  EXPECT_EQ(larder({"key", "f", "{}"}).status, 2);
  EXPECT_EQ(larder(std::vector<std::string>(19, "key")).status, 2) << "17 arguments";
}

TEST_F(Verbs, VerifyFindsASoundStoreSound) {
  put("a", "x");
  put("b", std::string(100'000, 'y'));
  const Ran ran = larder({"verify"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("0 damaged"), std::string::npos) << ran.out;
  const nlohmann::json json = this->json({"verify"});
  EXPECT_EQ(json["damaged"], nlohmann::json::array());
  EXPECT_EQ(json["records"], 2);
  const std::string progress = larder({"verify", "--progress"}).err;
  EXPECT_EQ(progress.find("{\"bytes_all\":"), 0U) << progress;
}

TEST_F(Verbs, VerifyFindsADamagedValueAndEndsWith4) {
  put("a", std::string(100'000, 'y'));
  damage(50'000);
  const Ran ran = larder({"verify"});
  EXPECT_EQ(ran.status, 4) << ran.out << ran.err;
  EXPECT_EQ(ran.out.find("1 record checked, "), 0U) << ran.out;
  EXPECT_NE(ran.out.find(": 1 damaged\n"), std::string::npos) << ran.out;
  const nlohmann::json json = this->json({"verify"});
  EXPECT_EQ(json["records"], 1);
  EXPECT_EQ(json["damaged"][0]["key"], "a");
  EXPECT_EQ(json["unmarked"], "");
}

TEST_F(Verbs, DamageThatIsNoRecordIsCountedBesideTheRecords) {
  put("a", "x");
  damage(64);  // where the only record begins
  const Ran ran = larder({"verify"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(ran.out.find("0 records checked, "), 0U) << ran.out;
  EXPECT_NE(ran.out.find(": 0 damaged, and damage in 1 other place\n"), std::string::npos) << ran.out;
}

TEST_F(Verbs, WhatVerifyFoundDamagedIsNotReturnedAnyMore) {
  put("a", std::string(100'000, 'y'));
  damage(50'000);
  EXPECT_EQ(larder({"verify"}).status, 4);
  EXPECT_EQ(larder({"get", "a"}).status, 3);
  put("a", "again");
  EXPECT_EQ(larder({"get", "a"}).out, "again");
}

TEST_F(Verbs, CompactGivesBackTheRoomOfWhatNobodyCanAskForAndKeepsTheRest) {
  put("kept", std::string(100'000, 'k'));
  put("replaced", std::string(300'000, 'r'));
  put("replaced", "r");
  put("removed", std::string(300'000, 'r'));
  larder({"rm", "removed"});
  const Ran ran = larder({"compact"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out.find("Freed     1 segment of "), 0U) << ran.out;
  EXPECT_NE(ran.out.find("\nRewritten 2 records of "), std::string::npos) << ran.out;
  EXPECT_EQ(larder({"get", "kept"}).out.size(), 100'000U);
  EXPECT_EQ(larder({"get", "replaced"}).out, "r");
  EXPECT_EQ(larder({"get", "removed"}).status, 3);
  EXPECT_EQ(larder({"compact"}).out.find("Nothing to compact: "), 0U);
  EXPECT_EQ(json({"compact"})["segments"], 0);
}

TEST_F(Verbs, RepairNamesWhatWasLostAndKeepsTheRest) {
  put("whole", std::string(100'000, 'x'));
  put("lost", std::string(100'000, 'y'));
  damage(150'000);
  const Ran found = larder({"verify"});
  EXPECT_EQ(found.status, 4);
  EXPECT_EQ(found.err, "larder: next: larder verify --repair\n");
  const Ran ran = larder({"verify", "--repair"});
  EXPECT_EQ(ran.status, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find(": 1 damaged\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("\nLost      lost\nNext      nothing: "), std::string::npos) << ran.out;
  EXPECT_EQ(larder({"get", "lost"}).status, 3);
  EXPECT_EQ(larder({"get", "whole"}).out.size(), 100'000U);
  const Ran sound = larder({"verify"});
  EXPECT_EQ(sound.status, 0) << sound.out;
  EXPECT_NE(sound.out.find("Harmless  1 damaged place"), std::string::npos) << sound.out;
  const nlohmann::json json = this->json({"verify", "--repair"});
  EXPECT_EQ(json["repaired"]["lost"], nlohmann::json::array());
  EXPECT_EQ(json["harmless"], 1);
  EXPECT_EQ(larder({"verify", "--repair", "--progress"}).err.find("{\"bytes_all\":"), 0U);
}

TEST_F(Verbs, RepairLeavesWhatIsNotLardersAndEndsWith4) {
  put("a", "x");
  std::ofstream(store() / "v1" / "seg" / "notes.txt") << "x";
  const Ran ran = larder({"verify", "--repair"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_NE(ran.out.find("Left      "), std::string::npos) << ran.out;
  EXPECT_TRUE(std::filesystem::exists(store() / "v1" / "seg" / "notes.txt"));
}

TEST_F(Verbs, AStoreThatMayOnlyBeReadIsVerified) {
  put("a", std::string(100'000, 'y'));
  const How how{.user = ordinary_user()};
  give_to(how.user);
  const auto all = [&](std::filesystem::perms modes, std::filesystem::perm_options change) {
    std::filesystem::permissions(store(), modes, change);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store())) {
      std::filesystem::permissions(entry.path(), modes, change);
    }
  };
  all(std::filesystem::perms::owner_write, std::filesystem::perm_options::remove);
  const Ran sound = larder({"verify"}, how);
  EXPECT_EQ(sound.status, 0) << sound.err;
  EXPECT_EQ(sound.err, "");
  all(std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  damage(50'000);
  all(std::filesystem::perms::owner_write, std::filesystem::perm_options::remove);
  const Ran damaged = larder({"verify"}, how);
  EXPECT_EQ(damaged.status, 4);
  EXPECT_NE(damaged.out.find(": 1 damaged\n"), std::string::npos) << damaged.out;
  EXPECT_EQ(damaged.err.find("larder: warning: what is damaged could not be marked"), 0U) << damaged.err;
  EXPECT_NE(damaged.err.find("Permission denied"), std::string::npos) << damaged.err;
  all(std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
}

TEST_F(Verbs, AFullStandardOutputIsAnError) {
  put("a", "x");
  const Ran ran = larder({"get", "a"}, {.output = "/dev/full"});
  EXPECT_EQ(ran.status, 8);
  EXPECT_EQ(ran.err.find("larder: error: standard output cannot be written"), 0U) << ran.err;
}

TEST_F(Verbs, AStoreIsSharedByAGroupWhereThatIsAskedFor) {
  const std::string fab = std::string("group:") + ::getgrgid(::getegid())->gr_name;
  const How as_all{.input = "x", .environment = {{"LARDER_SHARED", fab}}};
  EXPECT_EQ(larder({"put", "a", "--shared", fab}, {.input = "x"}).status, 0);
  EXPECT_EQ(larder({"--shared", fab, "get", "a"}).out, "x");
  EXPECT_EQ(larder({"get", "a"}, as_all).out, "x");
  EXPECT_EQ(larder({"exec", "--require-cache", "--", "true"}, as_all).status, 0);
  EXPECT_EQ(larder({"doctor"}, as_all).status, 0) << larder({"doctor"}, as_all).out;

  const Ran refused = larder({"get", "a"});
  EXPECT_EQ(refused.status, 7);
  EXPECT_NE(refused.err.find(store().string() + " is shared"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--shared " + fab), std::string::npos) << refused.err;
  const Ran exec = larder({"exec", "--", "echo", "done"});
  EXPECT_EQ(exec.out, "done\n");
  EXPECT_NE(exec.err.find("--shared " + fab), std::string::npos) << exec.err;
  const Ran doctor = larder({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_NE(doctor.out.find("cure: open it with"), std::string::npos) << doctor.out;

  // The variable is of the default store.
  const std::string other = (work() / "other").string();
  EXPECT_EQ(larder({"put", "a", "--dir", other}, as_all).status, 0);
  EXPECT_EQ(larder({"get", "a", "--dir", other}).out, "x");
  const Ran widened = larder({"get", "a", "--dir", other, "--shared", fab});
  EXPECT_EQ(widened.status, 7);
  EXPECT_NE(widened.err.find("chmod 2770 " + other), std::string::npos) << widened.err;
}

TEST_F(Verbs, ThoseWithWhomAStoreCannotBeSharedAreNamedWithTheCure) {
  for (const std::string shared : {"everybody", "group:", "group:no such group", ""}) {
    const Ran ran = larder({"put", "a", "--shared", shared}, {.input = "x"});
    EXPECT_EQ(ran.status, 2) << shared;
    EXPECT_NE(ran.err.find("shared"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("help: "), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(store()));
  }
}

TEST_F(Verbs, WhoIsNotOfTheGroupIsToldHowToJoinIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  EXPECT_EQ(larder({"put", "a", "--shared", "group:root"}, {.input = "x"}).status, 0);
  open_to_all();
  const How how{.environment = {{"LARDER_SHARED", "group:root"}}, .user = ordinary_user()};
  EXPECT_EQ(larder({"put", "a"}, how).status, 7);
  EXPECT_NE(larder({"put", "a"}, how).err.find("usermod -aG root"), std::string::npos);
  EXPECT_EQ(larder({"get", "a"}, how).status, 7);
  const Ran doctor = larder({"doctor"}, how);
  EXPECT_NE(doctor.out.find("cure: join its group"), std::string::npos) << doctor.out;
}

TEST_F(Verbs, TheDirectoryOptionComesBeforeTheEnvironment) {
  const std::string other = (work() / "other").string();
  EXPECT_EQ(larder({"put", "a", "--dir", other}, {.input = "x"}).status, 0);
  EXPECT_EQ(larder({"--dir", other, "get", "a"}).out, "x");
  EXPECT_EQ(larder({"get", "a"}).status, 3);
}

TEST_F(Verbs, ColorsAreForTerminalsThatWantThem) {
  const std::string colored = "\x1b[31merror\x1b[0m";
  const auto error = [&](std::map<std::string, std::string> environment, bool terminal) {
    return larder({"get"}, {.environment = std::move(environment), .terminal = terminal}).err;
  };
  EXPECT_NE(error({{"TERM", "xterm"}}, true).find(colored), std::string::npos);
  EXPECT_EQ(error({{"TERM", "xterm"}, {"NO_COLOR", "1"}}, true).find('\x1b'), std::string::npos);
  EXPECT_EQ(error({{"TERM", "dumb"}}, true).find('\x1b'), std::string::npos);
  EXPECT_EQ(error({{"TERM", "xterm"}}, false).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace larder::test
