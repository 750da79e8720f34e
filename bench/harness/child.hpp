// A child process: this program again, with arguments that give it a role, or another one. Talks with its parent in
// lines.
#pragma once

#include <sys/types.h>
#include <string>
#include <vector>

namespace bench {

// Killed and reaped by the destructor if it still runs. Not thread-safe.
class Child {
 public:
  static constexpr const char* k_this_program = "/proc/self/exe";

  explicit Child(const std::vector<std::string>& arguments, const std::string& program = k_this_program);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

  // The next line the child prints. Throws if it ends without one.
  [[nodiscard]] std::string read_line();
  void write_line(const std::string& line);
  // Waits for the end. Throws unless the child succeeded.
  void join();
  // Ends the child with SIGKILL and waits until it is gone.
  void kill();

 private:
  pid_t pid_ = -1;
  int input_ = -1;   // what the child prints
  int output_ = -1;  // what the child reads
};

// A line of /proc/self/smaps_rollup, in KiB: "Anonymous" is memory that is this process's own (the private kinds also
// count the page cache's pages while nobody else maps them), "Pss" its share of everything it maps.
[[nodiscard]] long long own_memory_kb(const std::string& what);

}  // namespace bench
