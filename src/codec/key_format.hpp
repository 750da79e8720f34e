// The tags of the canonical key encoding, and a reader of it. docs/reference/key-encoding.md has every byte.
//
// A Reader walks bytes that may be hostile: it returns nothing rather than read beyond their end, and
// accepts only what KeyEncoder writes, so that two spellings of one key cannot exist. Not for values: those
// are codec.hpp's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <larder/array.hpp>
#include <larder/digest.hpp>

namespace larder::codec {

inline constexpr char k_key_format = 1;

// Text and bytes longer than this enter by length and digest.
inline constexpr std::size_t k_inline_text_max = 4096;

// The one NaN.
inline constexpr std::uint64_t k_nan_bits = 0x7ff8000000000000;

// Permanent: they are in every key that was ever stored.
enum class Tag : char {
  none = 'n',
  no = 'F',
  yes = 'T',
  integer = 'i',
  real = 'r',
  complex = 'c',
  text = 's',
  long_text = 'S',
  bytes = 'y',
  long_bytes = 'Y',
  array = 'a',
  digest = 'd',
  list = 'l',
  tuple = 'u',
  set = 'e',
  map = 'm',
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

  std::optional<std::string_view> take(std::uint64_t length);
  std::optional<std::uint64_t> leb128();  // the shortest form only
  std::optional<Digest> digest();

  // One value, up to the members of a list, tuple, set or map: those follow.
  struct Item {
    Tag tag = Tag::none;
    std::uint64_t length = 0;  // bytes of a text; dimensions of an array; members (pairs of a map)
    std::string_view payload;  // integer, real, complex, short text and bytes; an array's shape, LEB128 each
    DType dtype = DType::f64;  // of an array
    Digest digest;             // of an array, a long text or long bytes; or the value itself
  };
  std::optional<Item> item();
  // Skips one whole value, members included.
  bool value();

 private:
  std::string_view rest_;
};

}  // namespace larder::codec
