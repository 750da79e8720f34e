// Encoder and Decoder: the two ends of an encoded value.
#include <bit>

#include <larder/codec.hpp>
#include <larder/digest.hpp>

#include "base/bits.hpp"

namespace larder {

static_assert(std::endian::native == std::endian::little, "values and keys are little-endian as they lie in memory");

void Encoder::copy(Bytes bytes) {
  if (bytes.empty()) return;
  copied_.insert(copied_.end(), bytes.begin(), bytes.end());
  if (pieces_.empty() || pieces_.back().outside != nullptr) pieces_.push_back({nullptr, 0});
  pieces_.back().length += bytes.size();
  size_ += bytes.size();
}

void Encoder::refer(Bytes bytes) {
  if (bytes.empty()) return;
  pieces_.push_back({bytes.data(), bytes.size()});
  size_ += bytes.size();
}

void Encoder::align(std::size_t alignment) {
  const std::uint64_t padding = base::align_up<std::uint64_t>(size_, alignment) - size_;
  copy(std::vector<std::byte>(static_cast<std::size_t>(padding)));
}

void Encoder::numbers(std::size_t width, std::uint64_t bytes) noexcept {
  const auto log2 = static_cast<std::size_t>(std::countr_zero(width));
  if (std::has_single_bit(width) && log2 < bytes_of_numbers_.size()) bytes_of_numbers_[log2] += bytes;
}

std::size_t Encoder::number_bytes() const noexcept {
  for (std::size_t i = 0; i < bytes_of_numbers_.size(); ++i) {
    if (bytes_of_numbers_[i] > size_ / 2) return std::size_t{1} << i;
  }
  return 1;
}

std::vector<Bytes> Encoder::pieces() const {
  std::vector<Bytes> result;
  result.reserve(pieces_.size());
  std::size_t used = 0;  // of copied_
  for (const Piece& piece : pieces_) {
    result.emplace_back(piece.outside != nullptr ? piece.outside : copied_.data() + used, piece.length);
    if (piece.outside == nullptr) used += piece.length;
  }
  return result;
}

std::vector<std::byte> Encoder::joined() const {
  std::vector<std::byte> result;
  result.reserve(static_cast<std::size_t>(size_));
  for (const Bytes piece : pieces()) result.insert(result.end(), piece.begin(), piece.end());
  return result;
}

Bytes Decoder::take(std::uint64_t length) {
  if (length > remaining()) fail("the bytes end inside the value");
  const Bytes taken = bytes_.subspan(position_, static_cast<std::size_t>(length));
  position_ += taken.size();
  return taken;
}

std::uint64_t Decoder::count(std::uint64_t bytes_each) {
  const auto count = number<std::uint64_t>();
  if (count > remaining() / bytes_each) fail("a count promises more than the bytes hold");
  return count;
}

void Decoder::align(std::size_t alignment) {
  const std::uint64_t aligned = base::align_up<std::uint64_t>(position_, alignment);
  for (const std::byte padding : take(aligned - position_)) {
    if (padding != std::byte{0}) fail("the padding is not zero");
  }
}

void Decoder::fail(const char* what) const {
  throw Error(Errc::damaged, std::string("the stored value does not decode: ") + what);
}

std::string detail::bounded_type_name(std::string name) {
  if (name.size() <= k_type_name_bytes_max) return name;
  const std::string mark = '#' + digest(std::as_bytes(std::span(name))).hex();
  name.resize(k_type_name_bytes_max - mark.size());
  return name + mark;
}

}  // namespace larder
