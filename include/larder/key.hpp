// A Key identifies one computation: a name, a version, and the arguments.
//
//   larder::Key key{"spectrum", larder::Version{3}, signal, 4096, "hann"};
//
// The arguments are written in a canonical encoding (docs/reference/key-encoding.md): type-tagged and
// length-prefixed, so that f(1,23), f(12,3), f("1"), f(1), f(1.0) and f(true) are six keys; equal
// values encode equally whatever their C++ type (int 1 and long 1; a map whatever its order), in every
// process and every release. A type that has no encoding is a compile error; give it one by
// specializing `KeyCodec`. Arrays, spans and vectors of numbers and strings beyond 4 KiB enter by a
// digest of their whole content.
//
// Threads: a Key is a value; distinct objects may be used from distinct threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <larder/array.hpp>
#include <larder/digest.hpp>
#include <larder/result.hpp>

namespace larder {

// A canonical key is at most this long; a longer one throws Error(key_too_long) when it is built.
inline constexpr std::size_t k_key_bytes_max = 64 * 1024;

// The version of the function that computes: raise it when the function's results change.
struct Version {
  std::uint32_t number = 0;
};

// Writes the canonical encoding. Users meet it in their specializations of KeyCodec; each call writes
// one value. A list, tuple, set or map announces its length and is followed by that many values.
class LARDER_API KeyEncoder {
 public:
  void none();
  void boolean(bool value);
  void integer(std::int64_t value);
  void natural(std::uint64_t value);  // the same bytes as integer() where both can say it
  void real(double value);            // every NaN is one NaN; 0.0 and -0.0 are two values
  void complex(double real, double imaginary);
  void text(std::string_view utf8);
  void bytes(std::span<const std::byte> value);
  void array(DType dtype, std::span<const std::uint64_t> shape, std::span<const std::byte> elements);
  void digest(const Digest& value);
  void list(std::size_t count);
  void tuple(std::size_t count);
  // Sets and maps come as finished encodings and are sorted here: their order does not matter.
  void set(std::vector<std::string> members);
  void map(std::vector<std::pair<std::string, std::string>> members);

  [[nodiscard]] std::span<const std::byte> encoded() const noexcept { return std::as_bytes(std::span(buffer_)); }
  [[nodiscard]] std::string take() && { return std::move(buffer_); }

 private:
  friend class Key;
  // What stands before the arguments of a key.
  void begin(std::string_view name, Version version, std::size_t arguments);

  std::string buffer_;
};

// How a type enters a key: specialize with `static void encode(KeyEncoder&, const T&)`, which writes
// exactly one value, for a type with several members a tuple. key_codecs.hpp has the types that need none.
template <class T>
struct KeyCodec {};

// A type that can be an argument of a Key.
template <class T>
concept KeyArgument = requires(KeyEncoder& encoder, const std::remove_cvref_t<T>& value) {
  KeyCodec<std::remove_cvref_t<T>>::encode(encoder, value);
};

// Writes one value; for members, in specializations of KeyCodec.
template <KeyArgument T>
void encode_key(KeyEncoder& encoder, const T& value) {
  KeyCodec<T>::encode(encoder, value);
}

class LARDER_API Key {
 public:
  // REQUIRES: the encoding is at most k_key_bytes_max long (Error(key_too_long)).
  template <KeyArgument... Arguments>
  Key(std::string_view name, Version version, const Arguments&... arguments) {
    KeyEncoder encoder;
    encoder.begin(name, version, sizeof...(arguments));
    (encode_key(encoder, arguments), ...);
    adopt(encoder.encoded());
  }
  template <KeyArgument... Arguments>
  Key(std::string_view name, const Arguments&... arguments)  // NOLINT(google-explicit-constructor)
      : Key(name, Version{}, arguments...) {}
  Key(const char* name) : Key(std::string_view(name), Version{}) {}         // NOLINT(google-explicit-constructor)
  Key(const std::string& name) : Key(std::string_view(name), Version{}) {}  // NOLINT(google-explicit-constructor)

  Key(const Key& other);
  Key(Key&& other) noexcept;
  Key& operator=(const Key& other);
  Key& operator=(Key&& other) noexcept;
  ~Key();

  // A key from its canonical bytes, as the store keeps them. Fails with Error(damaged) unless they are
  // exactly one well-formed key.
  static Result<Key> from_canonical(std::span<const std::byte> canonical);

  [[nodiscard]] std::span<const std::byte> canonical() const noexcept { return {data(), size_}; }
  // Bytes of memory that the key takes beyond the object.
  [[nodiscard]] std::size_t outside_bytes() const noexcept { return is_inside() ? 0 : size_; }
  // The digest of the canonical bytes: what the index and the policy know of the key.
  [[nodiscard]] const Digest& fingerprint() const noexcept { return fingerprint_; }

  // `spectrum@3(f64[16777216]:9f3c…, 4096, "hann")`: for people; long parts are shortened.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string name() const;
  // `spectrum#9f3c21d0`: the name and the first eight digits of the fingerprint, as the tool takes it.
  [[nodiscard]] std::string short_text() const;

  friend bool operator==(const Key& a, const Key& b) noexcept {
    if (a.fingerprint_ != b.fingerprint_ || a.size_ != b.size_) return false;
    // Inside, what follows the bytes is zero in both: a comparison of fixed length needs no loop.
    if (a.is_inside()) return std::memcmp(a.storage_.data(), b.storage_.data(), k_inline_bytes) == 0;
    return std::memcmp(a.outside(), b.outside(), a.size_) == 0;
  }

 private:
  // Canonical bytes up to this length live in the object, so that small keys cost no allocation and
  // an entry's key lies beside its value.
  static constexpr std::size_t k_inline_bytes = 44;

  Key() = default;
  // Holds a copy of the bytes and their digest.
  void adopt(std::span<const std::byte> canonical);
  void hold(std::span<const std::byte> canonical);
  [[nodiscard]] bool is_inside() const noexcept { return size_ <= k_inline_bytes; }
  [[nodiscard]] std::byte* outside() const noexcept {  // null: the bytes are inside
    std::byte* pointer = nullptr;
    if (!is_inside()) std::memcpy(&pointer, storage_.data(), sizeof pointer);
    return pointer;
  }
  [[nodiscard]] const std::byte* data() const noexcept { return is_inside() ? storage_.data() : outside(); }

  Digest fingerprint_;
  std::uint32_t size_ = 0;
  std::array<std::byte, k_inline_bytes> storage_{};  // the bytes and zeros, or a pointer to them if they are more
};
static_assert(sizeof(Key) == 64, "one cache line");

}  // namespace larder

#include <larder/key_codecs.hpp>
