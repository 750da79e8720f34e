// Values on their way into the store and out of it: encoded, and compressed where that was asked for and pays.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <larder/codec.hpp>
#include <larder/compression.hpp>

#include "codec/frame.hpp"
#include "store/store.hpp"

namespace larder::detail {

// What the store is given for a value, which has to outlive it.
class Packed {
 public:
  // Throws what the codec throws.
  Packed(const Value& value, const Type& type, Compression compression);

  [[nodiscard]] std::vector<Bytes> pieces() const { return frame_ ? frame_->pieces() : encoder_.pieces(); }
  // For Meta: 0 if the value is not compressed.
  [[nodiscard]] std::uint64_t raw_bytes() const noexcept { return frame_ ? encoder_.size() : 0; }
  [[nodiscard]] std::uint64_t saved_bytes() const noexcept { return frame_ ? encoder_.size() - frame_->size() : 0; }

 private:
  Encoder encoder_;
  std::optional<codec::Frame> frame_;
};

// Puts the value that is in the frame in its place; what was found does not lean on the store then. False, and nothing
// changed, if the frame is damaged. REQUIRES: found.meta.raw_bytes != 0.
[[nodiscard]] bool unpack(store::Found& found);

}  // namespace larder::detail
