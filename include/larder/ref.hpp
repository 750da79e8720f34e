// A handle to a value that the cache answered with.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include <larder/entry.hpp>

namespace larder {

// Shares ownership of an immutable value, or pins the mapped bytes it is a view of. The value stays
// valid for as long as the Ref (or a copy of it, or of share()) lives, even if the entry is evicted,
// removed or overwritten meanwhile, and even after the Cache is closed. A pinned value keeps its bytes
// on disk: they count against the store's limit until the last handle goes.
//
// Threads: distinct Ref objects may be used from distinct threads, the value from any.
template <class T>
class Ref {
 public:
  Ref(std::shared_ptr<const T> value, Tier source, std::chrono::nanoseconds cost, std::chrono::nanoseconds saved)
      : value_(std::move(value)), source_(source), cost_(cost), saved_(saved) {}

  const T& operator*() const noexcept { return *value_; }
  const T* operator->() const noexcept { return value_.get(); }
  [[nodiscard]] const T& get() const noexcept { return *value_; }
  [[nodiscard]] std::shared_ptr<const T> share() const noexcept { return value_; }

  // The tier that answered, or Tier::computed.
  [[nodiscard]] Tier source() const noexcept { return source_; }
  // Wall time that computing the value took, when it was computed.
  [[nodiscard]] std::chrono::nanoseconds cost() const noexcept { return cost_; }
  // cost() less the time this lookup took, to a few milliseconds, at least zero; zero if this lookup computed. A hit in
  // memory counts as taking no time: reading the clock would take longer than the hit.
  [[nodiscard]] std::chrono::nanoseconds saved() const noexcept { return saved_; }

 private:
  std::shared_ptr<const T> value_;
  Tier source_;
  std::chrono::nanoseconds cost_;
  std::chrono::nanoseconds saved_;
};

}  // namespace larder
