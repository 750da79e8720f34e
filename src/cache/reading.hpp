// What a reader of the API holds: a value of the store, or an object in its encoded form.
#pragma once

#include <memory>
#include <string>

#include <larder/stream.hpp>

#include "cache/core.hpp"
#include "cache/engine.hpp"
#include "cache/unpacked.hpp"

namespace larder::detail {

// Thread-safe.
class Reading {
 public:
  // Null if there is nothing to read.
  static std::unique_ptr<Reading, Close> open(const std::shared_ptr<Engine>& engine, const Key& key);

  // Up to `bytes` bytes of the value from `offset` on, in place.
  [[nodiscard]] Result<Bytes> range(std::uint64_t offset, std::uint64_t bytes) const;
  [[nodiscard]] std::uint64_t size() const noexcept { return encoded_bytes() - front_; }
  [[nodiscard]] const std::string& type() const noexcept {
    return of_.stored ? of_.stored->meta().type : of_.object->type;
  }
  [[nodiscard]] Tier source() const noexcept { return of_.stored ? Tier::store : Tier::memory; }

 private:
  Reading(std::shared_ptr<Engine> engine, Core::Readable of) : engine_(std::move(engine)), of_(std::move(of)) {}
  [[nodiscard]] std::uint64_t encoded_bytes() const noexcept;
  [[nodiscard]] Result<Bytes> encoded(std::uint64_t offset, std::uint64_t bytes) const;

  const std::shared_ptr<Engine> engine_;  // the store lives as long
  const Core::Readable of_;
  std::unique_ptr<Unpacked> unpacked_;  // of what is stored compressed
  std::uint64_t front_ = 0;             // of the encoded form, that is not the value's
};

}  // namespace larder::detail
