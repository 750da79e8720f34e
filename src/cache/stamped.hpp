// Values that carry the stamps of their tags along, in the block that counts their owners: to every tier, queue and
// waiter that holds one, and at no cost to those that have no tags.
#pragma once

#include <memory>
#include <utility>

#include <larder/codec.hpp>

#include "store/tags.hpp"

namespace larder::detail {

struct StampedOwner {
  Value value;
  store::Stamps stamps;
  void operator()(const void*) noexcept { value.reset(); }
};

// The value itself if there are no tags.
inline Value stamped(Value value, store::Stamps stamps) {
  if (stamps.tags.empty()) return value;
  const void* const object = value.get();
  return Value(object, StampedOwner{std::move(value), std::move(stamps)});
}

// Null if the value has none.
inline const store::Stamps* stamps_of(const Value& value) noexcept {
  const StampedOwner* const owner = std::get_deleter<StampedOwner>(value);
  return owner == nullptr ? nullptr : &owner->stamps;
}

}  // namespace larder::detail
