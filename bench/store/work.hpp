// What a process does in a turn: it opens a store, says so, waits to be told, puts or gets values one after the other
// with the clock read around each, and leaves its samples in a file. The words of a Work are the arguments of the
// process, this program or the script for Python.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "systems.hpp"

namespace bench {

enum class Operation {
  fill,           // puts the records; then the store is closed, ready for quick reads
  fill_and_wait,  // puts records beyond `operations` that are there, prints "full" and waits to be killed
  put,
  get,
};

struct Work {
  std::string system;
  Operation operation = Operation::fill;
  std::filesystem::path directory;  // of the store
  Setup setup;                      // of the store, all processes together
  std::uint64_t operations = 0;
  std::uint64_t first = 0;             // put: the number of the first key
  How how = How::view;                 // get
  Spread spread = Spread::uniform;     // get
  std::uint64_t pause_us = 0;          // between two operations, asleep
  std::filesystem::path source = {};   // a file of value_bytes; its first word is replaced by value_word(number)
  std::filesystem::path samples = {};  // where to leave nanoseconds an operation, 8 bytes each

  [[nodiscard]] std::vector<std::string> words() const;
  static Work from_words(const std::vector<std::string>& words);
};

// The samples of all processes, and how long they took together.
struct Measured {
  std::vector<std::int64_t> ns;
  double seconds;  // from the first operation's begin to the last one's end
};

// Has every Work done by a process of its own, all at once, started when all are ready.
[[nodiscard]] Measured measure(const System& system, const std::vector<Work>& works);
// Has one Work done by a process that ends.
void perform(const System& system, const Work& work);
// Has a writer killed that opened the store and put records beyond `there`.
void kill_writer(const System& system, const std::filesystem::path& directory, const Setup& setup, std::uint64_t there);

// Does the work that the arguments of this process describe. Returns the exit code.
int play_role(const std::vector<std::string>& words);

}  // namespace bench
