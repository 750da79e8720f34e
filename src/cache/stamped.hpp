// Values that carry along the stamps of their tags, and until when they are fresh if they are kept for longer, in the
// block that counts their owners: to every tier, queue and waiter that holds one, and at no cost to those that have
// neither.
#pragma once

#include <memory>
#include <utility>

#include <larder/codec.hpp>

#include "store/store.hpp"

namespace larder::detail {

struct StampedOwner {
  Value value;
  store::Stamps stamps;
  std::int64_t fresh_ms;  // store::k_no_expiry: as long as it is kept
  void operator()(const void*) noexcept { value.reset(); }
};

// The value itself if there is nothing to carry.
inline Value stamped(Value value, store::Stamps stamps, std::int64_t fresh_ms = store::k_no_expiry) {
  if (stamps.tags.empty() && fresh_ms == store::k_no_expiry) return value;
  const void* const object = value.get();
  return Value(object, StampedOwner{std::move(value), std::move(stamps), fresh_ms});
}

// Null if the value carries nothing.
inline const StampedOwner* stamped_owner(const Value& value) noexcept {
  return std::get_deleter<StampedOwner>(value);
}

}  // namespace larder::detail
