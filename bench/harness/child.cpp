#include "harness/child.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace bench {
namespace {

void check(int error, const char* call) {
  if (error != 0) throw std::system_error(error, std::generic_category(), call);
}

}  // namespace

Child::Child(const std::vector<std::string>& arguments, const std::string& program) {
  int from_child[2];
  int to_child[2];
  check(pipe2(from_child, O_CLOEXEC) == 0 ? 0 : errno, "pipe2");
  check(pipe2(to_child, O_CLOEXEC) == 0 ? 0 : errno, "pipe2");

  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  check(posix_spawn_file_actions_init(&actions), "posix_spawn_file_actions_init");
  check(posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO), "posix_spawn_file_actions_adddup2");
  check(posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO), "posix_spawn_file_actions_adddup2");
  const int error = posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(from_child[1]);
  ::close(to_child[0]);
  input_ = from_child[0];
  output_ = to_child[1];
  check(error, "posix_spawn");
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)) {}

Child::~Child() {
  if (pid_ > 0) kill();
  if (input_ >= 0) ::close(input_);
  if (output_ >= 0) ::close(output_);
}

std::string Child::read_line() {
  std::string line;
  for (char c = 0; ::read(input_, &c, 1) == 1;) {
    if (c == '\n') return line;
    line += c;
  }
  throw std::runtime_error("a child process ended early");
}

void Child::write_line(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(output_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("a child process does not listen");
  }
}

void Child::join() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("a child process failed");
}

void Child::kill() {
  ::kill(pid_, SIGKILL);
  waitpid(std::exchange(pid_, -1), nullptr, 0);
}

long long own_memory_kb(const std::string& what) {
  std::ifstream in("/proc/self/smaps_rollup");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(what + ":")) return std::stoll(line.substr(what.size() + 1));
  }
  throw std::runtime_error("/proc/self/smaps_rollup does not say " + what);
}

}  // namespace bench
