// `larder exec`, from outside: every command leaves a line in the file `runs`, so that a test sees whether it ran or
// was replayed.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <larder/larder.hpp>

#include "sandbox.hpp"

namespace larder::test {
namespace {

class Exec : public Sandbox {
 public:
  // Runs `larder exec OPTIONS -- sh -c 'echo ran >> runs; SCRIPT'`.
  Ran exec(std::vector<std::string> options, const std::string& script, const How& how = {}) {
    return start_exec(std::move(options), script, how).wait();
  }
  Running start_exec(std::vector<std::string> options, const std::string& script, const How& how = {}) {
    options.insert(options.begin(), "exec");
    options.insert(options.end(), {"--", "/bin/sh", "-c", "echo ran >> " + (work() / "runs").string() + "; " + script});
    return start(options, how);
  }
  std::size_t runs() { return lines("runs"); }
};

TEST_F(Exec, AHitReplaysOutputAndErrorWithoutRunningAgain) {
  const std::string script = "echo to-out; echo to-err >&2";
  for (int i = 0; i < 3; ++i) {
    const Ran ran = exec({}, script);
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.out, "to-out\n");
    EXPECT_EQ(ran.err, "to-err\n");
  }
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, AFailureRunsAgain) {
  EXPECT_EQ(exec({}, "echo out; exit 7").status, 7);
  EXPECT_EQ(exec({}, "echo out; exit 7").status, 7);
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, AFailureIsReplayedWithItsStatusWhereFailuresAreKept) {
  for (int i = 0; i < 2; ++i) {
    const Ran ran = exec({"--store-failures"}, "echo out; echo err >&2; exit 7");
    EXPECT_EQ(ran.status, 7);
    EXPECT_EQ(ran.out, "out\n");
    EXPECT_EQ(ran.err, "err\n");
  }
  EXPECT_EQ(runs(), 1U);
  // Who did not ask for kept failures does not meet one.
  EXPECT_EQ(exec({}, "echo out; echo err >&2; exit 7").status, 7);
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, AFileWithOtherContentIsAMissAndWithTheOldContentAHit) {
  write("data", "one");
  EXPECT_EQ(exec({"--file", "data"}, "cat data").out, "one");
  write("data", "two");
  EXPECT_EQ(exec({"--file", "data"}, "cat data").out, "two");
  write("data", "one");
  EXPECT_EQ(exec({"--file", "data"}, "cat data").out, "one");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, AnotherValueOfANamedVariableIsAMissAndUnsetIsNotEmpty) {
  const auto with = [&](std::map<std::string, std::string> environment) {
    return exec({"--env", "MODE"}, "echo \"${MODE-unset}\"", {.environment = std::move(environment)}).out;
  };
  EXPECT_EQ(with({{"MODE", "fast"}}), "fast\n");
  EXPECT_EQ(with({{"MODE", "slow"}}), "slow\n");
  EXPECT_EQ(with({{"MODE", ""}}), "\n");
  EXPECT_EQ(with({}), "unset\n");
  EXPECT_EQ(runs(), 4U);
  EXPECT_EQ(with({{"MODE", "fast"}, {"OTHER", "changed"}}), "fast\n");
  EXPECT_EQ(runs(), 4U) << "a variable that was not named does not matter";
}

TEST_F(Exec, AnotherDirectoryIsAMiss) {
  std::filesystem::create_directory(work() / "other");
  EXPECT_EQ(exec({}, "pwd").out, work().string() + "\n");
  EXPECT_EQ(exec({}, "pwd", {.directory = work() / "other"}).out, (work() / "other").string() + "\n");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, MoreTextInTheKeyIsAMissAndTheOrderOfOptionsIsNot) {
  write("a", "a");
  write("b", "b");
  exec({"--file", "a", "--file", "b"}, "true");
  exec({"--file", "b", "--file", "a"}, "true");
  EXPECT_EQ(runs(), 1U);
  exec({"--file", "b", "--file", "a", "--key", "v2"}, "true");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, OutputFilesComeBackWithContentAndMode) {
  const std::string script = "mkdir -p sub; printf 'a\\0b' > sub/x; chmod 750 sub/x; : > y; chmod 600 y; echo done";
  ASSERT_EQ(exec({"--out", "y", "--out", "sub/x"}, script).status, 0);
  std::filesystem::remove_all(work() / "sub");
  std::filesystem::remove(work() / "y");
  const Ran ran = exec({"--out", "sub/x", "--out", "y"}, script);
  EXPECT_EQ(ran.out, "done\n");
  EXPECT_EQ(runs(), 1U);
  EXPECT_EQ(read("sub/x"), std::string("a\0b", 3));
  EXPECT_EQ(read("y"), "");
  struct stat status {};
  ASSERT_EQ(::stat((work() / "sub/x").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0750U);
  ASSERT_EQ(::stat((work() / "y").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  // Nothing but the files themselves is left.
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(work())) files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 2U) << "runs and y";
}

TEST_F(Exec, ACommandThatDoesNotWriteItsOutputFileIsNotKept) {
  const Ran ran = exec({"--out", "missing"}, "echo done");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "done\n");
  EXPECT_NE(ran.err.find("missing"), std::string::npos) << ran.err;
  exec({"--out", "missing"}, "echo done");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, AnOutputFileThatWasThereAndIsLeftAloneIsNotKept) {
  write("model", "from somewhere else");
  const Ran ran = exec({"--out", "model"}, "true");
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.err.find("left it alone"), std::string::npos) << ran.err;
  exec({"--out", "model"}, "true");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, AnInputThatChangesWhileTheCommandRunsKeepsItsResultOut) {
  write("data", "one");
  exec({"--file", "data"}, "cat data; echo two > data");
  EXPECT_EQ(json({"ls"}).size(), 0U);
}

TEST_F(Exec, StandardInputIsEmptyUnlessItIsPartOfTheKey) {
  EXPECT_EQ(exec({}, "cat", {.input = "ignored"}).out, "");
  EXPECT_EQ(exec({"--stdin"}, "cat", {.input = "one"}).out, "one");
  EXPECT_EQ(exec({"--stdin"}, "cat", {.input = "two"}).out, "two");
  EXPECT_EQ(exec({"--stdin"}, "cat", {.input = "one"}).out, "one");
  EXPECT_EQ(exec({"--stdin"}, "cat", {.input = ""}).out, "");
  EXPECT_EQ(runs(), 4U);
}

TEST_F(Exec, StandardInputIsTakenUpToTheLargestResultThatIsKept) {
  ASSERT_TRUE(Cache::open({.directory = store(), .store = Size("16MiB")}));
  const Ran ran = shell("larder exec --stdin -- touch ran < /dev/zero");
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.err,
            "larder: error: --stdin takes at most 16 MiB, and there is more\n"
            "  help: keep it in a file, name that with --file, and let the command read it\n");
  EXPECT_FALSE(std::filesystem::exists(work() / "ran"));
  EXPECT_EQ(shell("head -c 16777216 /dev/zero | larder exec --stdin -- wc -c").out, "16777216\n");
}

TEST_F(Exec, WithoutACacheStandardInputIsHandedOnUnread) {
  const std::string one_line = " larder exec --stdin -- sh -c 'read line; echo \"$line\"' 2>/dev/null; cat";
  for (const char* without : {"LARDER_DISABLE=1", "LARDER_DIR=/proc/nowhere"}) {
    write("input", "for the command\nfor who comes next\n");
    EXPECT_EQ(shell(std::string("{ ") + without + one_line + "; } < input").out, read("input")) << without;
  }
}

TEST_F(Exec, EveryByteIsReplayed) {
  std::string every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  write("every", every);
  for (int i = 0; i < 2; ++i) {
    const Ran ran = exec({"--file", "every"}, "cat every; cat every >&2");
    EXPECT_EQ(ran.out, every);
    EXPECT_EQ(ran.err, every);
  }
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, ACompressedResultIsReplayedAsItWas) {
  const Ran first = exec({"--compress", "auto"}, "seq 1 5000; echo done >&2");
  EXPECT_EQ(exec({}, "seq 1 5000; echo done >&2").out, first.out) << "it is no part of the key";
  EXPECT_EQ(first.err, "done\n");
  const nlohmann::json entry = json({"ls"})[0];
  EXPECT_LT(entry["compressed_bytes"].get<std::uint64_t>(), entry["bytes"].get<std::uint64_t>() / 2);
}

TEST_F(Exec, AWayToCompressThatThereIsNotIsAWarning) {
  const Ran ran = exec({}, "echo done", {.environment = {{"LARDER_COMPRESS", "zip"}}});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "done\n");
  EXPECT_NE(ran.err.find("running uncached: LARDER_COMPRESS: `zip`"), std::string::npos);
}

TEST_F(Exec, SilenceIsAResult) {
  for (int i = 0; i < 2; ++i) {
    const Ran ran = exec({}, "true");
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.out + ran.err, "");
  }
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, AHundredMegabytesAreReplayed) {
  const std::string script = "head -c 100000000 /dev/zero | tr '\\0' x";
  for (int i = 0; i < 2; ++i) {
    const Ran ran = exec({}, script);
    ASSERT_EQ(ran.out.size(), 100'000'000U);
    EXPECT_EQ(ran.out.find_first_not_of('x'), std::string::npos);
    EXPECT_EQ(ran.err, "");
  }
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, ALargeResultIsNotHeldInMemory) {
  const Ran ran = shell(R"(
mkfifo go
larder exec --out large -- sh -c 'head -c 268435456 /dev/zero; read word <go; head -c 5000000 /dev/zero | tr "\0" x >large' >out & tool=$!
exec 3>go
grep RssAnon /proc/$tool/status
echo on >&3
wait $tool || exit 1
rm large go
larder exec --out large -- sh -c 'head -c 268435456 /dev/zero; read word <go; head -c 5000000 /dev/zero | tr "\0" x >large' | cmp - out || exit 2
tr -d x <large | wc -c
wc -c <large)");
  ASSERT_EQ(ran.status, 0) << ran.err;
  unsigned long held = 0;
  unsigned long others = 1;
  unsigned long bytes = 0;
  ASSERT_EQ(std::sscanf(ran.out.c_str(), "RssAnon: %lu kB %lu %lu", &held, &others, &bytes), 3) << ran.out << ran.err;
  EXPECT_LT(held, 64UL * 1024);
  EXPECT_EQ(others, 0U);
  EXPECT_EQ(bytes, 5000000U);
}

TEST_F(Exec, OutputIsSeenWhileTheCommandRuns) {
  Running running = start_exec({}, "echo early; while [ ! -e go ]; do sleep 0.01; done; echo late");
  running.wait_for_output("early\n");
  write("go", "");
  EXPECT_EQ(running.wait().out, "early\nlate\n");
}

TEST_F(Exec, AResultWhoseTimeIsOverIsComputedAgain) {
  exec({"--ttl", "1ms"}, "echo done");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  exec({"--ttl", "1ms"}, "echo done");
  EXPECT_EQ(runs(), 2U);
  exec({"--ttl", "1h"}, "echo kept");
  exec({"--ttl", "1h"}, "echo kept");
  EXPECT_EQ(runs(), 3U);
}

TEST_F(Exec, OfManyAtOnceOneRunsAndAllReplay) {
  std::vector<Running> all;
  all.reserve(4);
  for (int i = 0; i < 4; ++i) all.push_back(start_exec({}, "sleep 0.5; echo done"));
  for (Running& one : all) {
    const Ran ran = one.wait();
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.out, "done\n");
  }
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, WithoutAUsableStoreTheCommandRunsAfterOneWarning) {
  for (const char* directory : {"/proc/nowhere", "/dev/null", "/dev/null/below"}) {
    const How how{.environment = {{"LARDER_DIR", directory}}};
    const Ran ran = exec({}, "echo done; exit 5", how);
    EXPECT_EQ(ran.status, 5);
    EXPECT_EQ(ran.out, "done\n");
    EXPECT_EQ(ran.err.find("larder: warning: running uncached: "), 0U) << ran.err;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
  EXPECT_EQ(runs(), 3U);
}

TEST_F(Exec, RequiringTheCacheEndsWith125InsteadAndDoesNotRun) {
  const Ran ran = exec({"--require-cache"}, "true", {.environment = {{"LARDER_DIR", "/proc/nowhere"}}});
  EXPECT_EQ(ran.status, 125);
  EXPECT_EQ(ran.err.find("larder: error: "), 0U) << ran.err;
  EXPECT_EQ(runs(), 0U);
}

TEST_F(Exec, ANamedFileThatCannotBeReadIsAWarningAndTheCommandRuns) {
  const Ran ran = exec({"--file", "missing"}, "echo done");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "done\n");
  EXPECT_NE(ran.err.find("missing"), std::string::npos) << ran.err;
}

TEST_F(Exec, DisabledRunsEveryTimeAndSaysNothing) {
  for (int i = 0; i < 2; ++i) {
    const Ran ran = exec({}, "echo done; exit 4", {.environment = {{"LARDER_DISABLE", "1"}}});
    EXPECT_EQ(ran.status, 4);
    EXPECT_EQ(ran.out, "done\n");
    EXPECT_EQ(ran.err, "");
  }
  EXPECT_EQ(runs(), 2U);
  EXPECT_FALSE(std::filesystem::exists(store()));
}

TEST_F(Exec, ADamagedStoreIsAMiss) {
  ASSERT_EQ(exec({}, "echo done").out, "done\n");
  for (const auto& segment : std::filesystem::directory_iterator(store() / "v1" / "seg")) {
    std::filesystem::resize_file(segment.path(), std::filesystem::file_size(segment.path()));
    std::fstream file(segment.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string noise(4096, '\xa5');
    file.seekp(64);
    file.write(noise.data(), static_cast<std::streamsize>(std::min<std::uintmax_t>(
                                 noise.size(), std::filesystem::file_size(segment.path()) - 64)));
  }
  const Ran ran = exec({}, "echo done");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "done\n");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, ACommandThatIsNotThereOrNotExecutableEndsAsInAShell) {
  EXPECT_EQ(larder({"exec", "--", "no-such-command"}).status, 127);
  write("plain", "text");
  const Ran ran = larder({"exec", "--", "./plain"});
  EXPECT_EQ(ran.status, 126);
  EXPECT_EQ(ran.err.find("larder: error: ./plain cannot be run"), 0U) << ran.err;
  const How uncached{.environment = {{"LARDER_DISABLE", "1"}}};
  EXPECT_EQ(larder({"exec", "--", "no-such-command"}, uncached).status, 127);
}

TEST_F(Exec, ACommandKilledByASignalIsNotKept) {
  EXPECT_EQ(exec({"--store-failures"}, "echo out; kill -KILL $$").status, 128 + SIGKILL);
  EXPECT_EQ(exec({"--store-failures"}, "echo out; kill -KILL $$").status, 128 + SIGKILL);
  EXPECT_EQ(runs(), 2U);
  EXPECT_EQ(json({"ls"}).size(), 0U);
}

TEST_F(Exec, TheStatusOfACommandIsKnownToWhoWasStartedWithSigchldIgnored) {
  const std::string ignoring = "env --ignore-signal=CHLD larder exec ";
  for (const char* options : {"", "--store-failures", "--store-failures"}) {
    const Ran ran = shell(ignoring + options + " -- sh -c 'echo ran >> runs; exit 7'");
    EXPECT_EQ(ran.status, 7) << options;
  }
  EXPECT_EQ(runs(), 2U) << "the last one was replayed";
}

TEST_F(Exec, TerminationIsPassedOnAndNothingIsKept) {
  Running running =
      start_exec({"--store-failures"}, "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.01; done");
  running.wait_for_output("ready\n");
  running.send(SIGTERM);
  const Ran ran = running.wait();
  EXPECT_EQ(ran.status, 9);
  EXPECT_EQ(ran.out, "ready\ncaught\n");
  EXPECT_EQ(json({"ls"}).size(), 0U);
}

TEST_F(Exec, AnInterruptEndsTheCommandAndUs) {
  Running running = start({"exec", "--", "/bin/sh", "-c", "echo ready; exec sleep 1000"});
  running.wait_for_output("ready\n");
  running.send(SIGINT);
  const Ran ran = running.wait();
  EXPECT_EQ(ran.status, 130);
  EXPECT_EQ(ran.signal, SIGINT) << "a shell's loop around us stops too";
  EXPECT_EQ(json({"ls"}).size(), 0U);
}

TEST_F(Exec, TheSuccessorOfAKilledRunRunsItself) {
  Running first = start_exec({}, "echo ready; [ -e go ] || exec sleep 1000");
  first.wait_for_output("ready\n");
  Running second = start_exec({}, "echo ready; [ -e go ] || exec sleep 1000");
  write("go", "");
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().status, 128 + SIGTERM);
  const Ran ran = second.wait();
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "ready\n");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, ATerminalIsToldWhatWasStoredAndWhatAHitSaved) {
  const Ran first = exec({"--out", "model"}, "echo hello; head -c 2048 /dev/zero > model", {.terminal = true});
  EXPECT_EQ(first.err.find("larder: stored exec#"), 0U) << first.err;
  EXPECT_NE(first.err.find("; stdout 6 B; model 2 KiB)"), std::string::npos) << first.err;
  const Ran second = exec({"--out", "model"}, "echo hello; head -c 2048 /dev/zero > model", {.terminal = true});
  EXPECT_EQ(second.err.find("larder: hit exec#"), 0U) << second.err;
  EXPECT_NE(second.err.find("(stored "), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("), saved "), std::string::npos) << second.err;
  const Ran third = exec({"-q", "--out", "model"}, "echo hello; head -c 2048 /dev/zero > model", {.terminal = true});
  EXPECT_EQ(third.err, "");
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, JsonSaysOnOneLineOfStandardErrorWhatBecameOfTheCommand) {
  const auto event = [&](const std::string& script) { return nlohmann::json::parse(exec({"--json"}, script).err); };
  const nlohmann::json stored = event("true");
  EXPECT_EQ(stored["event"], "stored");
  EXPECT_GT(stored["cost_ns"], 0);
  const nlohmann::json hit = event("true");
  EXPECT_EQ(hit["event"], "hit");
  EXPECT_EQ(hit["key"], stored["key"]);
  EXPECT_EQ(hit["cost_ns"], stored["cost_ns"]);
  const nlohmann::json failed = event("exit 1");
  EXPECT_EQ(failed["event"], "not_stored");
  EXPECT_EQ(failed["reason"], "it failed with status 1 (--store-failures keeps that too)");
}

TEST_F(Exec, AResultThatWasClearedWhileTheCommandRanIsNotStoredAndSaysWhy) {
  write("clears", "larder clear --yes");
  const nlohmann::json event = nlohmann::json::parse(shell("larder exec -q --json -- sh clears 2>&1 | grep event").out);
  EXPECT_EQ(event["event"], "not_stored");
  EXPECT_EQ(event["reason"], "the entry was removed or changed meanwhile, and that stands");
  EXPECT_EQ(event["help"], "");
}

TEST_F(Exec, JsonSaysWhatKeepsTheCacheFromBeingUsed) {
  const auto event = [&](std::vector<std::string> options) {
    options.push_back("--json");
    return nlohmann::json::parse(exec(options, "true").err);
  };
  EXPECT_EQ(event({"--dir", "/dev/null"})["event"], "uncached");
  EXPECT_EQ(event({"--file", "missing"})["reason"], "--file open missing: No such file or directory");
  EXPECT_EQ(event({"--out", "missing"})["event"], "not_stored");
  EXPECT_NE(event({"--out", "missing"})["help"], "");
}

TEST_F(Exec, ACommandThatAsksForItsOwnResultRunsAndDoesNotWaitForItself) {
  write("self", "if [ -e inner ]; then echo inner; else touch inner; larder exec -- sh self; fi");
  const Ran ran = shell("larder exec -- sh self");
  EXPECT_EQ(ran.out, "inner\n");
  EXPECT_NE(ran.err.find("running uncached: the command asks, through others, for its own result"), std::string::npos)
      << ran.err;
}

TEST_F(Exec, WordsBeforeTheDashesAreAUsageError) {
  const Ran ran = larder({"exec", "true"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.err, "larder: error: `true` stands before `--`\n  help: larder exec [OPTION]... -- COMMAND [ARG]...\n");
  EXPECT_EQ(larder({"exec"}).status, 2);
  EXPECT_EQ(larder({"exec", "--"}).status, 2);
  EXPECT_EQ(larder({"exec", "--ttl", "20 moons", "--", "true"}).status, 2);
  EXPECT_EQ(larder({"exec", "--env", "MODE=fast", "--", "true"}).err,
            "larder: error: --env takes the name of a variable, not `MODE=fast`\n"
            "  help: MODE=fast larder exec --env MODE -- COMMAND [ARG]...\n");
}

TEST_F(Exec, AnEmptyNameIsAUsageErrorAndNothingRuns) {
  for (const std::string option : {"--file", "--env", "--out"}) {
    const Ran ran = exec({option, ""}, "true");
    EXPECT_EQ(ran.status, 2) << option;
    EXPECT_EQ(ran.err, "larder: error: " + option + ": the name is empty\n  help: larder help exec\n");
  }
  EXPECT_EQ(runs(), 0U);
}

TEST_F(Exec, OneOutputFileOfSeveralNamesIsKeptOnce) {
  const std::string absolute = (work() / "model").string();
  const std::vector<std::string> options = {"--out", "model",    "--out", "./model",
                                            "--out", ".//model", "--out", absolute};
  const Ran first = exec(options, "echo x > model", {.terminal = true});
  EXPECT_EQ(first.err.find("model 2 B"), first.err.rfind("model 2 B")) << first.err;
  EXPECT_NE(first.err.find("model 2 B)"), std::string::npos) << first.err;
  std::filesystem::remove(work() / "model");
  EXPECT_EQ(exec(options, "echo x > model").status, 0);
  EXPECT_EQ(read("model"), "x\n");
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, DashesAfterTheCommandBelongToIt) {
  const Ran ran = larder({"exec", "--", "printf", "%s\\n", "--json", "--", "-q"});
  EXPECT_EQ(ran.out, "--json\n--\n-q\n");
}

TEST_F(Exec, AnInputBehindALinkCountsByTheContentThatItLeadsTo) {
  write("one", "1");
  write("two", "2");
  std::filesystem::create_symlink("one", work() / "input");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(exec({"--file", "input"}, "cat input").out, "1");
  EXPECT_EQ(runs(), 1U);
  std::filesystem::remove(work() / "input");
  std::filesystem::create_symlink("two", work() / "input");
  EXPECT_EQ(exec({"--file", "input"}, "cat input").out, "2");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Exec, AnInputThatIsNoRegularFileIsNamedAndTheCommandRuns) {
  ASSERT_EQ(::mkfifo((work() / "fifo").c_str(), 0600), 0);
  std::filesystem::create_directory(work() / "directory");
  const std::map<std::string, std::string> wrong = {{"fifo", "fifo is not a regular file"},
                                                    {"directory", "directory is a directory (help: "},
                                                    {"/dev/zero", "/dev/zero is not a regular file"}};
  for (const auto& [path, message] : wrong) {
    const Ran ran = exec({"--file", path}, "echo done");
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.out, "done\n");
    EXPECT_NE(ran.err.find("--file " + message), std::string::npos) << ran.err;
    EXPECT_EQ(exec({"--require-cache", "--file", path}, "echo done").status, 125);
  }
  EXPECT_EQ(runs(), wrong.size());
}

TEST_F(Exec, AnOutputFileBehindALinkIsRestoredBehindIt) {
  std::filesystem::create_directory(work() / "sub");
  std::filesystem::create_symlink("sub/target", work() / "link");
  const auto run = [&] { return exec({"--out", "link"}, "echo made > link").status; };
  ASSERT_EQ(run(), 0);
  for (const char* there : {"nothing", "another content"}) {
    std::filesystem::remove(work() / "sub" / "target");
    if (there != std::string("nothing")) write("sub/target", there);
    ASSERT_EQ(run(), 0);
    EXPECT_TRUE(std::filesystem::is_symlink(work() / "link"));
    EXPECT_EQ(read("sub/target"), "made\n");
  }
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, PipesThatDoNotBlockCarryEveryByte) {
  const std::string script = "head -c 1000000 /dev/zero | tr '\\0' x; head -c 1000000 /dev/zero | tr '\\0' y >&2";
  for (int i = 0; i < 2; ++i) {
    const Ran ran = exec({}, script, {.non_blocking = true});
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(std::ranges::count(ran.out, 'x'), 1'000'000);
    EXPECT_EQ(std::ranges::count(ran.out, 'y'), 1'000'000);
  }
  EXPECT_EQ(runs(), 1U);
  EXPECT_EQ(exec({"--stdin"}, "cat", {.input = "late", .non_blocking = true}).out, "late");
}

TEST_F(Exec, WhatACommandLeavesRunningBelongsToItAsLongAsItHoldsTheOutput) {
  const std::string wait = "while [ ! -e go ]; do sleep 0.01; done; ";
  Running holding = start_exec({}, "(" + wait + "echo late) & echo early");
  holding.wait_for_output("early\n");
  write("go", "");
  EXPECT_EQ(holding.wait().out, "early\nlate\n");
  std::filesystem::remove(work() / "go");
  EXPECT_EQ(exec({}, "(" + wait + "echo late) & echo early").out, "early\nlate\n") << "replayed";
  EXPECT_EQ(exec({}, "(" + wait + "touch gone) >/dev/null 2>&1 & echo early").out, "early\n") << "not waited for";
  write("go", "");
  while (!std::filesystem::exists(work() / "gone")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

TEST_F(Exec, AnInterruptEndsTheWaitForWhatACommandLeftRunning) {
  Running running = start_exec({}, "(trap '' TERM; while [ ! -e go ]; do sleep 0.01; done; touch gone) & echo ready");
  running.wait_for_output("ready\n");
  running.send(SIGTERM);
  running.wait();
  EXPECT_EQ(json({"ls"}).size(), 0U);
  write("go", "");
  while (!std::filesystem::exists(work() / "gone")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

TEST_F(Exec, ATerminalIsToldThatAnotherProcessRunsTheSame) {
  const std::string script = "echo ready; while [ ! -e go ]; do sleep 0.01; done";
  Running first = start_exec({}, script);
  first.wait_for_output("ready\n");
  Running silent = start_exec({}, script);
  Running told = start_exec({}, script, {.terminal = true});
  told.wait_for_terminal("larder: waiting for another process that runs the same command");
  write("go", "");
  const Ran ran = told.wait();
  EXPECT_EQ(ran.out, "ready\n");
  EXPECT_EQ(ran.err.find("waiting"), ran.err.rfind("waiting")) << "said once";
  EXPECT_EQ(silent.wait().err, "");
  EXPECT_EQ(first.wait().status, 0);
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Exec, AScriptThatNamesNoInterpreterIsRunByTheShell) {
  write("script", "echo \"ran $1\"\n");
  std::filesystem::permissions(work() / "script", std::filesystem::perms(0755));
  const std::string path = work().string() + ":/usr/bin:/bin";
  for (const char* name : {"./script", "script"}) {
    for (const char* disabled : {"0", "1"}) {
      const Ran ran =
          larder({"exec", "--", name, "a b"}, {.environment = {{"LARDER_DISABLE", disabled}, {"PATH", path}}});
      EXPECT_EQ(ran.out, "ran a b\n") << ran.err;
    }
  }
}

TEST_F(Exec, ACommandThatCannotBeRunIsToldWhy) {
  write("lost", "#!/no/such/interpreter\n");
  std::filesystem::permissions(work() / "lost", std::filesystem::perms(0755));
  std::filesystem::create_directory(work() / "directory");
  write("plain", "text");
  const auto error = [&](const char* command) {
    const Ran ran = larder({"exec", "--", command});
    EXPECT_EQ(ran.status, 126);
    return ran.err;
  };
  EXPECT_EQ(error("./lost").find("larder: error: ./lost cannot be run: its interpreter is not there\n  help: "), 0U);
  EXPECT_EQ(error("./directory"),
            "larder: error: ./directory cannot be run: it is a directory\n  help: name a file in it\n");
  EXPECT_EQ(error("./plain"), "larder: error: ./plain cannot be run: Permission denied\n  help: chmod +x ./plain\n");
}

TEST_F(Exec, ACommandTooLongForAKeyRunsAfterAWarningWithACure) {
  std::vector<std::string> words = {"exec", "--", "printf", "%.0s"};
  words.insert(words.end(), 20'000, "word");
  const Ran ran = larder(words);
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.err.find("(help: put long arguments into a file, and name it with --file)"), std::string::npos)
      << ran.err;
}

TEST_F(Exec, ClosedStandardDescriptorsStayClosed) {
  const Ran ran = shell("larder exec -- sh -c 'echo out; echo err >&2' >&- 2>err; echo \"status $?\"");
  EXPECT_EQ(ran.out, "status 1\n");
  EXPECT_EQ(read("err"), "err\n");
  EXPECT_EQ(shell("larder exec -- sh -c 'echo out; echo err >&2' <&- 2>&-").out, "out\n");
}

TEST_F(Exec, OutputThatCannotBeWrittenIsAFailureAndIsNotKept) {
  const Ran ran = exec({}, "echo done", {.output = "/dev/full"});
  EXPECT_NE(ran.status, 0);
  EXPECT_EQ(json({"ls"}).size(), 0U);
}

}  // namespace
}  // namespace larder::test
