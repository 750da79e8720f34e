// A compressed value of the store that is read in parts: what is asked for is decoded, MiB by MiB, and kept.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/aligned.hpp"
#include "base/mutex.hpp"
#include "codec/frame.hpp"
#include "store/stored_value.hpp"

namespace larder::detail {

// Thread-safe. What was decoded stays where it is for as long as this lives.
class Unpacked {
 public:
  // Null if the frame's head is damaged or cannot be read. `stored` outlives this. REQUIRES: it is a frame.
  static std::unique_ptr<Unpacked> open(const store::StoredValue& stored);

  [[nodiscard]] std::uint64_t size() const noexcept { return frame_.raw_bytes(); }
  // As StoredValue::range, of the value that is in the frame. REQUIRES: offset + bytes <= size().
  [[nodiscard]] Result<Bytes> range(std::uint64_t offset, std::uint64_t bytes);

 private:
  Unpacked(const store::StoredValue& stored, Bytes whole, codec::FrameView frame);
  Result<void> decode(std::uint64_t chunk);

  const store::StoredValue& stored_;
  const Bytes whole_;  // the frame; touched only where it was brought in and verified
  const codec::FrameView frame_;
  const base::AlignedBytes value_;  // pages that nothing is decoded into are never touched
  base::Mutex mutex_;
  std::vector<bool> decoded_;  // by chunk; guarded by mutex_
};

}  // namespace larder::detail
