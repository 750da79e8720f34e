// Tests of several processes: a test program starts itself again in a *role*.
//
//   LARDER_ROLE(writer) { …arguments[0]…; return 0; }          at namespace scope
//   Child child = start_role("writer", {"/some/directory"});    in a test
//
// A child ends when its role returns; its exit status is what the role returned.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace larder::test {

using Arguments = std::vector<std::string>;

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  // Kills and reaps a child that is still there.
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void kill() const;  // SIGKILL
  // The wait status, or nothing if the child did not end in time.
  std::optional<int> wait(std::chrono::milliseconds at_most);
  // Whether the child ended in time and its role returned 0.
  bool succeeded(std::chrono::milliseconds at_most);

 private:
  pid_t pid_;
  std::optional<int> status_;
};

Child start_role(const std::string& role, const Arguments& arguments);

struct Role {
  Role(const char* name, int (*run)(const Arguments&));
};

#define LARDER_ROLE(name)                                                   \
  static int role_##name(const ::larder::test::Arguments& arguments);       \
  static const ::larder::test::Role registered_##name(#name, &role_##name); \
  static int role_##name([[maybe_unused]] const ::larder::test::Arguments& arguments)

// LARDER_TEST_LONG=1 in the environment asks for the long run of a test.
[[nodiscard]] bool long_run();

}  // namespace larder::test
