#include "support/roles.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

namespace larder::test {

namespace {
std::map<std::string, int (*)(const Arguments&)>& roles() {
  static std::map<std::string, int (*)(const Arguments&)> registry;
  return registry;
}
}  // namespace

Role::Role(const char* name, int (*run)(const Arguments&)) {
  roles().emplace(name, run);
}

Child::~Child() {
  if (pid_ <= 0 || status_) return;
  kill();
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

void Child::kill() const {
  ::kill(pid_, SIGKILL);
}

std::optional<int> Child::wait(std::chrono::milliseconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (!status_) {
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped == pid_) {
      status_ = status;
    } else if (std::chrono::steady_clock::now() >= deadline) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return status_;
}

bool Child::succeeded(std::chrono::milliseconds at_most) {
  const std::optional<int> status = wait(at_most);
  return status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
}

Child start_role(const std::string& role, const Arguments& arguments) {
  std::vector<std::string> words = {"/proc/self/exe", "--role", role};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(126);
  }
  return Child(pid);
}

bool long_run() {
  const char* value = std::getenv("LARDER_TEST_LONG");
  return value != nullptr && std::string(value) == "1";
}

}  // namespace larder::test

int main(int argc, char** argv) {
  using larder::test::Arguments;
  if (argc >= 3 && std::string(argv[1]) == "--role") {
    const auto role = larder::test::roles().find(argv[2]);
    if (role == larder::test::roles().end()) return 125;
    try {
      return role->second(Arguments(argv + 3, argv + argc));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "role %s: %s\n", argv[2], error.what());
      return 124;
    }
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
