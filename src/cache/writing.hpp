// What a writer of the API holds: a value that comes piece by piece, in memory while it is small or where there is no
// store, else on its way into the store.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <larder/stream.hpp>

#include "cache/core.hpp"
#include "cache/engine.hpp"

namespace larder::detail {

// Not thread-safe.
class Writing {
 public:
  // `flight`: that of a claim; null: a put. Throws Error for options that cannot be used.
  Writing(std::shared_ptr<Engine> engine, const Key& key, const Form& form, const EntryOptions& options,
          std::shared_ptr<Flight> flight);
  // Abandons what was not published.
  ~Writing() { abandon(nullptr); }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

  // False: the rest is not wanted.
  bool write(Bytes bytes);
  // `front`: that of the encoded form, if it is a large one.
  PutOutcome publish(Bytes front);
  void abandon(std::exception_ptr reason) noexcept;

 private:
  // Whether the process that began it still runs it: a forked child has no part in its parent's store and flights.
  [[nodiscard]] bool at_home() const noexcept { return generation_ == os::fork_generation(); }
  void stream();
  PutOutcome publish_object(Core& core, const std::shared_ptr<Flight>& flight, Bytes front);

  const std::shared_ptr<Engine> engine_;
  const std::uint64_t generation_;
  const Key key_;
  const Form form_;
  const EntryOptions options_;
  const Terms terms_;
  std::shared_ptr<Flight> flight_;
  const std::uint64_t begun_;
  const std::uint64_t stamp_;       // of the key, then
  const std::uint64_t memory_max_;  // more than that is streamed
  std::vector<std::byte> rest_;     // what came, behind the front, unless it is streamed
  std::optional<store::StreamedPut> streamed_;
};

}  // namespace larder::detail
