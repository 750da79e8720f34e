#include "model/history.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <larder/cache.hpp>

namespace larder::test {

namespace {

const char* outcome_name(std::uint64_t outcome) {
  switch (static_cast<PutOutcome::Store>(outcome)) {
    case PutOutcome::Store::none:
      return "no store";
    case PutOutcome::Store::queued:
      return "queued";
    case PutOutcome::Store::written:
      return "written";
    case PutOutcome::Store::refused:
      return "refused";
    case PutOutcome::Store::superseded:
      return "superseded";
  }
  return "?";
}

std::string what_of(const Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::put:
      return "put " + std::to_string(operation.argument) + ": " + outcome_name(operation.result);
    case Operation::Kind::get:
      return operation.result == 0 ? "get: nothing" : "get: " + std::to_string(operation.result);
    case Operation::Kind::remove:
      return "remove";
    case Operation::Kind::invalidate:
      return "invalidate its tag";
  }
  return "?";
}

}  // namespace

std::string text_of(std::span<const Operation> operations) {
  History sorted(operations.begin(), operations.end());
  std::ranges::sort(sorted, {}, &Operation::invoked);
  std::string text;
  for (const Operation& operation : sorted) {
    const auto microseconds = [&](std::int64_t time) {
      return static_cast<double>(time - sorted.front().invoked) / 1000.0;
    };
    std::array<char, 96> times{};
    std::snprintf(times.data(), times.size(), "  %10.3f ..%10.3f us  process %u thread %u  key %u  ",
                  microseconds(operation.invoked), microseconds(operation.returned), operation.process,
                  operation.thread, operation.key);
    text += times.data() + what_of(operation) + "\n";
  }
  return text;
}

}  // namespace larder::test
