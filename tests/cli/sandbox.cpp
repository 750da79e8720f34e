#include "sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace larder::test {
namespace {

std::string read_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return {};  // /dev/full has no end
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
}

int open_terminal() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) throw std::runtime_error("no terminal");
  return master;
}

// False once nobody has the other end open any more.
bool read_more(int fd, std::string& text) {
  char buffer[4096];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  return got > 0;
}

// Everything that comes out of the pipe, read only once nothing more goes in: it is full, or nobody writes.
std::string drain(int fd) {
  int before = 0;
  for (int still = 0; still < 20; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
    pollfd end = {fd, 0, 0};
    ::poll(&end, 1, 0);
    int waiting = 0;
    if (::ioctl(fd, FIONREAD, &waiting) != 0 || (end.revents & POLLHUP) != 0) break;
    still = waiting > 0 && waiting == before ? still + 1 : 0;
    before = waiting;
  }
  std::string text;
  while (read_more(fd, text)) {
  }
  ::close(fd);
  return text;
}

void feed(int fd, std::string_view text) {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) break;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  ::close(fd);
}

}  // namespace

std::optional<uid_t> ordinary_user() {
  constexpr uid_t k_nobody = 65534;
  return ::geteuid() == 0 ? std::optional<uid_t>(k_nobody) : std::nullopt;
}

Ran Running::wait() {
  Ran ran;
  if (terminal_ >= 0) {
    while (read_more(terminal_, seen_)) {
    }
    ::close(terminal_);
    std::erase(seen_, '\r');
    ran.err = std::move(seen_);
  }
  if (drain_ >= 0) {
    feed(feed_, input_);
    ran.out = drain(drain_);
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ran.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ran.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (drain_ >= 0) return ran;
  ran.out = read_file(out_);
  if (terminal_ < 0) ran.err = read_file(err_);
  return ran;
}

void Running::send(int signal) const {
  ::kill(pid_, signal);
}

void Running::wait_for_output(std::string_view text) const {
  while (read_file(out_).find(text) == std::string::npos) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

void Running::wait_for_terminal(std::string_view text) {
  while (seen_.find(text) == std::string::npos && read_more(terminal_, seen_)) {
  }
}

Sandbox::Sandbox() {
  std::filesystem::create_directories(work());
}

Running Sandbox::launch(const std::vector<std::string>& words, const How& how) {
  const std::filesystem::path base = directory_.path() / std::to_string(launched_++);
  const std::string in = base.string() + ".in";
  const std::string out = how.output.empty() ? base.string() + ".out" : how.output;
  const std::string err = base.string() + ".err";
  write_file(in, how.input);
  const std::string tool_directory = std::filesystem::path(LARDER_TOOL).parent_path().string();
  std::map<std::string, std::string> environment = {{"PATH", tool_directory + ":/usr/bin:/bin"},
                                                    {"HOME", directory_.path().string()},
                                                    {"TERM", "dumb"},
                                                    {"LARDER_DIR", store().string()}};
  for (const auto& [name, value] : how.environment) environment[name] = value;
  std::vector<std::string> assignments;
  for (const auto& [name, value] : environment) assignments.push_back(name + "=" + value);
  const auto pointers = [](const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
  };
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> variables = pointers(assignments);
  const std::string place = how.directory.empty() ? work().string() : how.directory.string();
  const int terminal = how.terminal ? open_terminal() : -1;
  const std::string error_path = how.terminal ? ::ptsname(terminal) : err;

  int input_pipe[2] = {-1, -1};
  int output_pipe[2] = {-1, -1};
  if (how.non_blocking) {
    if (::pipe2(input_pipe, O_CLOEXEC) != 0 || ::pipe2(output_pipe, O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe");
    ::fcntl(input_pipe[0], F_SETFL, O_NONBLOCK);
    ::fcntl(output_pipe[1], F_SETFL, O_NONBLOCK);
  }

  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto redirect = [](const std::string& path, int flags, int to) {
      const int fd = ::open(path.c_str(), flags | O_NOCTTY, 0600);
      if (fd < 0 || ::dup2(fd, to) < 0) ::_exit(99);
      ::close(fd);
    };
    if (how.non_blocking) {
      ::dup2(input_pipe[0], 0);
      ::dup2(output_pipe[1], 1);
      ::dup2(output_pipe[1], 2);
    } else {
      redirect(in, O_RDONLY, 0);
      redirect(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
      redirect(error_path, O_WRONLY | O_CREAT, 2);
    }
    if (::chdir(place.c_str()) != 0) ::_exit(98);
    if (how.user) {
      // The way to the tool may be closed to that user: a checkout in root's home, say.
      const int tool = ::open(arguments[0], O_PATH | O_CLOEXEC);
      if (::setgroups(0, nullptr) != 0 || ::setgid(*how.user) != 0 || ::setuid(*how.user) != 0) ::_exit(96);
      ::fexecve(tool, arguments.data(), variables.data());
    }
    ::execvpe(arguments[0], arguments.data(), variables.data());
    ::_exit(97);
  }
  if (!how.non_blocking) return {pid, out, err, terminal};
  ::close(input_pipe[0]);
  ::close(output_pipe[1]);
  return {pid, input_pipe[1], how.input, output_pipe[0]};
}

Running Sandbox::start(std::vector<std::string> words, const How& how) {
  words.insert(words.begin(), LARDER_TOOL);
  return launch(words, how);
}

Ran Sandbox::larder(const std::vector<std::string>& words, const How& how) {
  return start(words, how).wait();
}

Ran Sandbox::shell(const std::string& script) {
  return launch({"/bin/sh", "-c", script}, {}).wait();
}

nlohmann::json Sandbox::json(std::vector<std::string> words) {
  words.insert(words.begin(), "--json");
  const Ran ran = larder(words);
  nlohmann::json value = nlohmann::json::parse(ran.out, nullptr, false);
  EXPECT_FALSE(value.is_discarded()) << ran.out << ran.err;
  return value;
}

void Sandbox::open_to_all() const {
  std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
}

void Sandbox::write(const std::string& name, std::string_view text) const {
  write_file(work() / name, text);
}

std::string Sandbox::read(const std::string& name) const {
  return read_file(work() / name);
}

std::size_t Sandbox::lines(const std::string& name) const {
  const std::string text = read(name);
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace larder::test
