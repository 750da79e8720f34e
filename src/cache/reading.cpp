#include "cache/reading.hpp"

#include <cstring>

#include <larder/codecs.hpp>

#include "base/bits.hpp"

namespace larder::detail {

namespace {

// What stands in front of bytes and texts in their encoded form of `all` bytes, which begins with their count. Nothing
// if that cannot be.
std::optional<std::uint64_t> front_of(const std::string& type, std::uint64_t count, std::uint64_t all) {
  const bool text = type == Codec<std::string_view>::type_name();
  const std::uint64_t front =
      text ? sizeof count : base::align_up<std::uint64_t>(sizeof count, payload_alignment(count, 1));
  if (front > all || all - front != count) return std::nullopt;
  return front;
}

}  // namespace

std::unique_ptr<Reading, Close> Reading::open(const std::shared_ptr<Engine>& engine, const Key& key) {
  std::optional<Core::Readable> readable = engine->core().read(key);
  if (!readable) return nullptr;
  std::unique_ptr<Reading, Close> reading(new Reading(engine, *std::move(readable)));
  if (const auto& stored = reading->of_.stored; stored && stored->meta().raw_bytes != 0) {
    reading->unpacked_ = Unpacked::open(*stored);
    if (reading->unpacked_ == nullptr) return nullptr;
  }
  const std::string& type = reading->type();
  if (type != Codec<std::string_view>::type_name() && type != Codec<std::span<const std::byte>>::type_name()) {
    return reading;
  }
  std::uint64_t count = 0;
  const Result<Bytes> start = reading->encoded(0, std::min<std::uint64_t>(sizeof count, reading->encoded_bytes()));
  if (!start || start->size() < sizeof count) return nullptr;
  std::memcpy(&count, start->data(), sizeof count);
  const std::optional<std::uint64_t> front = front_of(type, count, reading->encoded_bytes());
  if (!front) return nullptr;
  reading->front_ = *front;
  return reading;
}

Result<Bytes> Reading::range(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset >= size()) return Bytes();
  return encoded(front_ + offset, std::min(bytes, size() - offset));
}

std::uint64_t Reading::encoded_bytes() const noexcept {
  if (unpacked_ != nullptr) return unpacked_->size();
  return of_.stored ? of_.stored->size() : of_.object->bytes.size();
}

Result<Bytes> Reading::encoded(std::uint64_t offset, std::uint64_t bytes) const {
  if (unpacked_ != nullptr) return unpacked_->range(offset, bytes);
  if (of_.stored) return of_.stored->range(offset, bytes);
  return of_.object->bytes.subspan(offset, bytes);
}

}  // namespace larder::detail
