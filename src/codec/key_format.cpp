#include "codec/key_format.hpp"

#include <cmath>
#include <cstring>
#include <vector>

namespace larder::codec {
namespace {

// Whether a shorter two's complement form would say the same.
bool minimal(std::string_view integer) {
  if (integer.size() < 2) return integer.size() == 1;
  const bool negative = (integer[integer.size() - 2] & 0x80) != 0;
  return integer.back() != (negative ? '\xff' : '\x00');
}

bool canonical_real(std::string_view real) {
  double value = 0;
  std::memcpy(&value, real.data(), sizeof(value));
  std::uint64_t bits = 0;
  std::memcpy(&bits, real.data(), sizeof(bits));
  return !std::isnan(value) || bits == k_nan_bits;
}

}  // namespace

std::optional<std::string_view> Reader::take(std::uint64_t length) {
  if (length > rest_.size()) return std::nullopt;
  const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(length));
  rest_.remove_prefix(taken.size());
  return taken;
}

std::optional<std::uint64_t> Reader::leb128() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto taken = take(1);
    if (!taken) return std::nullopt;
    const auto byte = static_cast<unsigned char>(taken->front());
    if (shift == 63 && byte > 1) return std::nullopt;  // beyond 64 bits
    if (shift > 0 && byte == 0) return std::nullopt;   // a shorter form exists
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<Digest> Reader::digest() {
  const auto taken = take(sizeof(Digest));
  if (!taken) return std::nullopt;
  Digest digest;
  std::memcpy(&digest.low, taken->data(), 8);
  std::memcpy(&digest.high, taken->data() + 8, 8);
  return digest;
}

std::optional<Reader::Item> Reader::item() {
  const auto first = take(1);
  if (!first) return std::nullopt;
  Item item;
  item.tag = static_cast<Tag>(first->front());

  const auto length = [&] {
    const auto read = leb128();
    if (read) item.length = *read;
    return read.has_value();
  };
  const auto payload = [&](std::uint64_t bytes) {
    const auto read = take(bytes);
    if (read) item.payload = *read;
    return read.has_value();
  };
  const auto digested = [&] {
    const auto read = digest();
    if (read) item.digest = *read;
    return read.has_value();
  };
  // An array's dtype and dimensions; the payload is the latter as they stand.
  const auto array = [&] {
    const auto dtype = take(1);
    if (!dtype) return false;
    item.dtype = static_cast<DType>(dtype->front());
    if (dtype_bytes(item.dtype) == 0 || !length()) return false;
    const std::string_view before = rest_;
    for (std::uint64_t i = 0; i < item.length; ++i) {
      if (!leb128()) return false;
    }
    item.payload = before.substr(0, before.size() - rest_.size());
    return digested();
  };

  const bool well_formed = [&] {
    switch (item.tag) {
      case Tag::none:
      case Tag::no:
      case Tag::yes:
        return true;
      case Tag::integer:
        return length() && payload(item.length) && minimal(item.payload);
      case Tag::real:
        return payload(8) && canonical_real(item.payload);
      case Tag::complex:
        return payload(16) && canonical_real(item.payload) && canonical_real(item.payload.substr(8));
      case Tag::text:
      case Tag::bytes:
        return length() && item.length <= k_inline_text_max && payload(item.length);
      case Tag::long_text:
      case Tag::long_bytes:
        return length() && item.length > k_inline_text_max && digested();
      case Tag::array:
        return array();
      case Tag::digest:
        return digested();
      case Tag::list:
      case Tag::tuple:
      case Tag::set:
        return length() && item.length <= rest_.size();  // a value takes a byte or more
      case Tag::map:
        return length() && item.length <= rest_.size() / 2;
    }
    return false;
  }();
  if (!well_formed) return std::nullopt;
  return item;
}

// Without recursion: hostile bytes may nest as deep as they are long.
bool Reader::value() {
  struct Open {
    Tag tag;
    std::uint64_t values_left;
    const char* member;         // where the member being read starts
    std::string_view previous;  // the member before it
  };
  std::vector<Open> open;
  for (;;) {
    const auto next = item();
    if (!next) return false;
    switch (next->tag) {
      case Tag::list:
      case Tag::tuple:
      case Tag::set:
        open.push_back({next->tag, next->length, rest_.data(), {}});
        break;
      case Tag::map:
        open.push_back({next->tag, 2 * next->length, rest_.data(), {}});
        break;
      default:
        if (open.empty()) return true;
        --open.back().values_left;
    }
    // A value has ended, or a container has begun: close what is complete.
    bool ended = next->tag != Tag::list && next->tag != Tag::tuple && next->tag != Tag::set && next->tag != Tag::map;
    for (;;) {
      Open& inner = open.back();
      const bool sorted = inner.tag == Tag::set || inner.tag == Tag::map;
      const bool member_ended = ended && (inner.tag != Tag::map || inner.values_left % 2 == 0);
      if (sorted && member_ended) {
        const std::string_view member(inner.member, static_cast<std::size_t>(rest_.data() - inner.member));
        if (member < inner.previous) return false;
        inner.previous = member;
        inner.member = rest_.data();
      }
      if (inner.values_left > 0) break;
      open.pop_back();
      if (open.empty()) return true;
      --open.back().values_left;
      ended = true;
    }
  }
}

}  // namespace larder::codec
