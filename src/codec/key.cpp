// Keys: how their canonical bytes are written, checked and held.
#include <larder/key.hpp>

#include <cmath>
#include <cstring>

#include "codec/key_format.hpp"

namespace larder {
namespace {

using codec::Tag;

void append_leb128(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_word(std::string& out, std::uint64_t word) {
  char bytes[8];
  std::memcpy(bytes, &word, 8);
  out.append(bytes, 8);
}

void append_digest(std::string& out, const Digest& digest) {
  append_word(out, digest.low);
  append_word(out, digest.high);
}

void append_real(std::string& out, double value) {
  std::uint64_t bits = codec::k_nan_bits;
  if (!std::isnan(value)) std::memcpy(&bits, &value, 8);
  append_word(out, bits);
}

void append_tag(std::string& out, Tag tag) {
  out.push_back(static_cast<char>(tag));
}

// Two's complement, little-endian, without the bytes at the end that only repeat the sign. `sign` is what
// stands beyond the 64 bits: 0 or 0xff.
void append_integer(std::string& out, std::uint64_t low, unsigned char sign) {
  unsigned char bytes[9];
  std::memcpy(bytes, &low, 8);
  bytes[8] = sign;
  std::size_t length = 9;
  while (length > 1 && bytes[length - 1] == sign && (bytes[length - 2] & 0x80) == (sign & 0x80)) --length;
  append_tag(out, Tag::integer);
  append_leb128(out, length);
  out.append(reinterpret_cast<const char*>(bytes), length);
}

// Text or bytes: in full, or by length and digest.
void append_string(std::string& out, Tag brief, Tag lengthy, std::string_view value) {
  const bool in_full = value.size() <= codec::k_inline_text_max;
  append_tag(out, in_full ? brief : lengthy);
  append_leb128(out, value.size());
  if (in_full) {
    out.append(value);
  } else {
    append_digest(out, digest(std::as_bytes(std::span(value))));
  }
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

void KeyEncoder::none() {
  append_tag(buffer_, Tag::none);
}
void KeyEncoder::boolean(bool value) {
  append_tag(buffer_, value ? Tag::yes : Tag::no);
}
void KeyEncoder::integer(std::int64_t value) {
  append_integer(buffer_, static_cast<std::uint64_t>(value), value < 0 ? 0xff : 0);
}
void KeyEncoder::natural(std::uint64_t value) {
  append_integer(buffer_, value, 0);
}
void KeyEncoder::real(double value) {
  append_tag(buffer_, Tag::real);
  append_real(buffer_, value);
}
void KeyEncoder::complex(double real, double imaginary) {
  append_tag(buffer_, Tag::complex);
  append_real(buffer_, real);
  append_real(buffer_, imaginary);
}
void KeyEncoder::text(std::string_view utf8) {
  append_string(buffer_, Tag::text, Tag::long_text, utf8);
}
void KeyEncoder::bytes(std::span<const std::byte> value) {
  append_string(buffer_, Tag::bytes, Tag::long_bytes, as_text(value));
}
void KeyEncoder::array(DType dtype, std::span<const std::uint64_t> shape, std::span<const std::byte> elements) {
  append_tag(buffer_, Tag::array);
  buffer_.push_back(static_cast<char>(dtype));
  append_leb128(buffer_, shape.size());
  for (const std::uint64_t extent : shape) append_leb128(buffer_, extent);
  append_digest(buffer_, larder::digest(elements));
}
void KeyEncoder::digest(const Digest& value) {
  append_tag(buffer_, Tag::digest);
  append_digest(buffer_, value);
}
void KeyEncoder::list(std::size_t count) {
  append_tag(buffer_, Tag::list);
  append_leb128(buffer_, count);
}
void KeyEncoder::tuple(std::size_t count) {
  append_tag(buffer_, Tag::tuple);
  append_leb128(buffer_, count);
}
void KeyEncoder::set(std::vector<std::string> members) {
  std::ranges::sort(members);
  append_tag(buffer_, Tag::set);
  append_leb128(buffer_, members.size());
  for (const std::string& member : members) buffer_ += member;
}
void KeyEncoder::map(std::vector<std::pair<std::string, std::string>> members) {
  std::ranges::sort(members);
  append_tag(buffer_, Tag::map);
  append_leb128(buffer_, members.size());
  for (const auto& [key, value] : members) (buffer_ += key) += value;
}

void KeyEncoder::begin(std::string_view name, Version version, std::size_t arguments) {
  constexpr std::size_t k_usual_bytes = 128;
  buffer_.reserve(k_usual_bytes);
  buffer_.push_back(codec::k_key_format);
  append_leb128(buffer_, name.size());
  buffer_ += name;
  append_leb128(buffer_, version.number);
  append_leb128(buffer_, arguments);
}

void Key::adopt(std::span<const std::byte> canonical) {
  if (canonical.size() > k_key_bytes_max) {
    throw Error(Errc::key_too_long,
                "the key takes " + std::to_string(canonical.size()) + " bytes; at most " +
                    std::to_string(k_key_bytes_max) + " are possible",
                "pass a digest of the large argument: larder::digest(...)");
  }
  fingerprint_ = digest(canonical);
  hold(canonical);
}

void Key::hold(std::span<const std::byte> canonical) {
  std::byte* target = storage_.data();
  if (canonical.size() > k_inline_bytes) {
    target = new std::byte[canonical.size()];
    std::memcpy(storage_.data(), &target, sizeof(target));
  }
  std::memcpy(target, canonical.data(), canonical.size());
  size_ = static_cast<std::uint32_t>(canonical.size());
}

Key::Key(const Key& other) : fingerprint_(other.fingerprint_) {
  hold(other.canonical());
}
Key::Key(Key&& other) noexcept
    : fingerprint_(other.fingerprint_), size_(std::exchange(other.size_, 0)), storage_(other.storage_) {}
Key& Key::operator=(const Key& other) {
  if (this != &other) *this = Key(other);
  return *this;
}
Key& Key::operator=(Key&& other) noexcept {
  std::swap(fingerprint_, other.fingerprint_);
  std::swap(size_, other.size_);
  std::swap(storage_, other.storage_);
  return *this;
}
Key::~Key() {
  delete[] outside();
}

Result<Key> Key::from_canonical(std::span<const std::byte> canonical) {
  const Error damaged(Errc::damaged, "the bytes are not a canonical key");
  if (canonical.size() > k_key_bytes_max) return damaged;
  codec::Reader reader(as_text(canonical));
  if (reader.take(1) != std::string_view(&codec::k_key_format, 1)) return damaged;
  const auto name_bytes = reader.leb128();
  if (!name_bytes || !reader.take(*name_bytes)) return damaged;
  const auto version = reader.leb128();
  if (!version || *version > UINT32_MAX) return damaged;
  const auto arguments = reader.leb128();
  if (!arguments) return damaged;
  for (std::uint64_t i = 0; i < *arguments; ++i) {
    if (!reader.value()) return damaged;
  }
  if (!reader.rest().empty()) return damaged;
  Key key;
  key.adopt(canonical);
  return key;
}

}  // namespace larder
