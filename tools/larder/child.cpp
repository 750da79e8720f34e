#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "transfer.hpp"

extern char** environ;

namespace larder::tool {
namespace {

// What the signal handler may touch.
std::atomic<pid_t> g_child{0};
std::atomic<int> g_signal{0};
static_assert(std::atomic<pid_t>::is_always_lock_free, "used in a signal handler");

void pass_on(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  g_signal.store(signal);
  // A terminal sends its signals to the whole foreground group, so the child has this one already. What a process sent
  // was for us alone or for our group (`timeout` does that), which we cannot tell: the child may get it a second time.
  const pid_t child = g_child.load();
  if (child > 0 && info->si_code <= 0) ::kill(child, signal);
  errno = saved;
}

// Handles the signals that ask us to end for as long as it lives. Ignored ones stay ignored, for the child too.
class SignalForwarding {
 public:
  SignalForwarding() {
    g_child.store(0);
    g_signal.store(0);
    struct sigaction action {};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO;
    ::sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < k_signals.size(); ++i) {
      ::sigaction(k_signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(k_signals[i], &action, nullptr);
    }
  }
  ~SignalForwarding() {
    for (std::size_t i = 0; i < k_signals.size(); ++i) ::sigaction(k_signals[i], &before_[i], nullptr);
  }
  SignalForwarding(const SignalForwarding&) = delete;
  SignalForwarding& operator=(const SignalForwarding&) = delete;

 private:
  static constexpr std::array<int, 3> k_signals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, 3> before_{};
};

// Keeps SIGCHLD from being ignored for as long as it lives. Some daemons and CI runners start us that way, and the
// system then forgets how a child ended before we can ask. The child has the default as well: posix_spawn() cannot make
// it ignore a signal that we do not.
class ChildrenRemembered {
 public:
  ChildrenRemembered() {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &action, &before_);
  }
  ~ChildrenRemembered() { ::sigaction(SIGCHLD, &before_, nullptr); }
  ChildrenRemembered(const ChildrenRemembered&) = delete;
  ChildrenRemembered& operator=(const ChildrenRemembered&) = delete;

 private:
  struct sigaction before_ {};
};

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_read() {
    if (read_end >= 0) ::close(std::exchange(read_end, -1));
  }
  void close_write() {
    if (write_end >= 0) ::close(std::exchange(write_end, -1));
  }
};

std::vector<char*> arguments_of(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  return arguments;
}

// How the child ended, as waitpid() tells it; 0: it has not, -1: that cannot be told.
pid_t wait_for(pid_t child, int& status, int options) {
  for (;;) {
    const pid_t waited = ::waitpid(child, &status, options);
    if (waited >= 0 || errno != EINTR) return waited;
  }
}

// Reads once from the pipe, hands the bytes on to `to`, and returns them. Closes the pipe at its end, or when nobody
// takes the bytes: the child is told as it would be without us, by SIGPIPE.
std::string_view move_some(Pipe& pipe, int to, std::span<char> buffer, Ended& ended) {
  const ssize_t got = read_some(pipe.read_end, buffer);
  if (got <= 0) {
    pipe.close_read();
    return {};
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (write_all(to, bytes) == 0) return bytes;
  ended.output_refused = true;
  pipe.close_read();
  return {};
}

}  // namespace

Ended run_recorded(const std::vector<std::string>& command, int input, std::uint64_t bytes_max,
                   std::uint64_t error_bytes_max, const std::function<void(std::string_view)>& keep) {
  Ended ended;
  Pipe out;
  Pipe err;
  if (out.read_end < 0 || err.read_end < 0) {
    ended.start_error = EMFILE;
    return ended;
  }
  const SignalForwarding forwarding;
  const ChildrenRemembered remembered;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.write_end, STDERR_FILENO);
  pid_t child = 0;
  ended.start_error =
      ::posix_spawnp(&child, command[0].c_str(), &actions, nullptr, arguments_of(command).data(), environ);
  if (ended.start_error == ENOEXEC) {
    // A script that names no interpreter: like a shell, and like become(), we have sh find and run it.
    std::vector<std::string> script = {"/bin/sh", "-c", "exec \"$0\" \"$@\""};
    script.insert(script.end(), command.begin(), command.end());
    ended.start_error = ::posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments_of(script).data(), environ);
  }
  ::posix_spawn_file_actions_destroy(&actions);
  if (ended.start_error != 0) return ended;
  g_child.store(child);
  // A signal that came before the child's id was known is passed on now.
  if (const int signal = g_signal.load(); signal != 0) ::kill(child, signal);
  out.close_write();
  err.close_write();

  int status = 0;
  pid_t waited = 0;
  while (out.read_end >= 0 || err.read_end >= 0) {
    // Once interrupted we wait for the command, and no longer for those to whom it left its output.
    const bool interrupted = g_signal.load() != 0;
    if (interrupted && waited == 0) waited = wait_for(child, status, WNOHANG);
    std::array<pollfd, 2> ends = {{{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}}};
    constexpr int k_look_ms = 50;
    const int ready = ::poll(ends.data(), ends.size(), waited != 0 ? 0 : interrupted ? k_look_ms : -1);
    if (ready < 0) continue;  // only EINTR is possible
    std::array<char, 65536> buffer;
    const auto kept = [&](std::string_view bytes, std::uint64_t error_bytes) {
      if (error_bytes > error_bytes_max ||
          ended.output_bytes + ended.standard_error.size() + bytes.size() > bytes_max) {
        ended.too_large = true;
      }
      return !bytes.empty() && !ended.too_large;
    };
    if (ends[0].revents != 0) {
      const std::string_view bytes = move_some(out, STDOUT_FILENO, buffer, ended);
      if (kept(bytes, ended.standard_error.size())) {
        keep(bytes);
        ended.output_bytes += bytes.size();
      }
    }
    if (ends[1].revents != 0) {
      const std::string_view bytes = move_some(err, STDERR_FILENO, buffer, ended);
      if (kept(bytes, ended.standard_error.size() + bytes.size())) ended.standard_error.append(bytes);
    }
    if (waited != 0) break;
  }
  if (waited == 0) waited = wait_for(child, status, 0);
  g_child.store(0);
  ended.lost = waited != child;
  ended.killed = !ended.lost && WIFSIGNALED(status);
  ended.status = ended.lost ? EXIT_FAILURE : ended.killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  ended.interrupted = g_signal.load() != 0;
  return ended;
}

int become(const std::vector<std::string>& command, int input) {
  if (::dup2(input, STDIN_FILENO) < 0) return errno;
  ::execvp(command[0].c_str(), arguments_of(command).data());
  return errno;
}

}  // namespace larder::tool
