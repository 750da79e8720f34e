// The public face of values in parts.
#include <larder/stream.hpp>

#include <array>
#include <cstring>

#include "base/aligned.hpp"
#include "base/mutex.hpp"
#include "cache/reading.hpp"
#include "cache/writing.hpp"

namespace larder {

namespace detail {

void Close::operator()(Writing* writing) const noexcept {
  delete writing;
}
void Close::operator()(Reading* reading) const noexcept {
  delete reading;
}

Value decode_joined(const Type& type, Bytes front, Bytes rest) {
  base::AlignedBytes joined = base::aligned_copy(std::array{front, rest});
  base::expect_no_lock("a codec");
  return type.decode(joined.bytes, std::move(joined.owner));
}

std::unique_ptr<Writing, Close> Obligation::write(const Form& form, const EntryOptions& options) {
  try {
    // In a forked child the flight is the parent's, the value is good.
    const std::shared_ptr<Flight> ours = generation_ == os::fork_generation() ? flight_ : nullptr;
    std::unique_ptr<Writing, Close> writing(new Writing(engine_, flight_->key, form, options, ours));
    flight_.reset();
    return writing;
  } catch (...) {
    fail(std::current_exception());
    throw;
  }
}

}  // namespace detail

ValueWriter Cache::writer(const Key& key, const EntryOptions& options) {
  return ValueWriter(std::unique_ptr<detail::Writing, detail::Close>(
      new detail::Writing(engine_, key, detail::k_bytes_form<std::vector<std::byte>>, options, nullptr)));
}

std::optional<ValueReader> Cache::reader(const Key& key) {
  std::unique_ptr<detail::Reading, detail::Close> reading = detail::Reading::open(engine_, key);
  if (reading == nullptr) return std::nullopt;
  return ValueReader(std::move(reading));
}

bool ValueWriter::write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  return writing_->write(bytes);
}

PutOutcome ValueWriter::publish() {
  std::array<std::byte, detail::k_bytes_front> front{};
  std::memcpy(front.data(), &size_, sizeof size_);
  return std::exchange(writing_, nullptr)->publish(front);
}

void ValueWriter::abandon(std::exception_ptr reason) noexcept {
  if (const auto writing = std::exchange(writing_, nullptr)) writing->abandon(std::move(reason));
}

bool EncodedWriter::write(std::span<const std::byte> bytes) {
  return writing_->write(bytes);
}

PutOutcome EncodedWriter::publish(std::span<const std::byte> front) {
  return std::exchange(writing_, nullptr)->publish(front);
}

void EncodedWriter::abandon(std::exception_ptr reason) noexcept {
  if (const auto writing = std::exchange(writing_, nullptr)) writing->abandon(std::move(reason));
}

std::uint64_t ValueReader::size() const noexcept {
  return reading_->size();
}
const std::string& ValueReader::type() const noexcept {
  return reading_->type();
}
Tier ValueReader::source() const noexcept {
  return reading_->source();
}

Result<std::size_t> ValueReader::read(std::uint64_t offset, std::span<std::byte> into) const {
  const Result<std::span<const std::byte>> bytes = view(offset, into.size());
  if (!bytes) return bytes.error();
  std::ranges::copy(*bytes, into.begin());
  return bytes->size();
}

Result<std::span<const std::byte>> ValueReader::view(std::uint64_t offset, std::uint64_t bytes) const {
  return reading_->range(offset, bytes);
}

}  // namespace larder
