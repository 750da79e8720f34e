// Real file systems for tests: a child in a mount namespace of its own.
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <optional>

#include <gtest/gtest.h>

namespace larder::test {

// Runs `body` in a child that is root of its own user and mount namespaces, where it may mount; returns
// its exit status, or nothing where the system allows no such namespaces.
inline std::optional<int> in_namespace(const std::function<int()>& body) {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  const pid_t child = ::fork();
  if (child == 0) {
    const bool own = user == 0 ? ::unshare(CLONE_NEWNS) == 0 : ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    if (own && user != 0) {
      // Who has no number in a namespace owns no files there.
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
      std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
    }
    if (!own || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(77);
    int result = 1;
    try {
      result = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(result);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

inline void expect_zero_or_no_namespaces(std::optional<int> status) {
  if (!status) {
    std::printf("  not run here: this system allows no mount namespaces\n");
    return;
  }
  EXPECT_EQ(*status, 0);
}

}  // namespace larder::test
