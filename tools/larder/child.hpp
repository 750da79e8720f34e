// Running a command: recorded, or in our place.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace larder::tool {

// How a recorded command ended. What it wrote went to our own standard output and error as it came.
struct Ended {
  int start_error = 0;          // an errno: the command could not be started, nothing else holds
  int status = 0;               // exit status; 128 + signal if a signal killed it; a failure if `lost`
  bool lost = false;            // the system does not tell how it ended
  bool killed = false;          // by a signal
  bool interrupted = false;     // we received SIGINT, SIGTERM or SIGHUP meanwhile
  bool output_refused = false;  // our own standard output or error could not be written
  bool too_large = false;       // wrote more than was to be kept; what was kept is incomplete
  std::uint64_t output_bytes = 0;
  std::string standard_error;
};

// Starts the command with `input` as its standard input and waits until it has ended and its output is closed, by
// everyone to whom it left it. Signals that ask us to end are passed on to it; we then wait for it alone. Its standard
// output is given to `keep` as it comes, its standard error is kept in memory: at most `error_bytes_max` bytes, both
// together at most `bytes_max`. REQUIRES: !command.empty(); one call at a time in the process.
[[nodiscard]] Ended run_recorded(const std::vector<std::string>& command, int input, std::uint64_t bytes_max,
                                 std::uint64_t error_bytes_max, const std::function<void(std::string_view)>& keep);

// Becomes the command: it answers to our parent itself, with everything we inherited but standard input. Returns an
// errno if it cannot be started.
[[nodiscard]] int become(const std::vector<std::string>& command, int input);

}  // namespace larder::tool
