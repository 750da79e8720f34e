// How values become bytes and bytes become values.
//
// A type can be cached if it is `Storable`, that is if `Codec<T>` says how. larder has codecs for
// trivially copyable types, strings, vectors and spans of numbers, Array, optional, pair, tuple, and
// vectors and maps of all these. A user type joins by specializing `Codec`:
//
//   template <> struct larder::Codec<Model> {
//     static std::string type_name() { return "Model/2"; }       // change it when the bytes change
//     static void encode(const Model& m, Encoder& out) { larder::encode(m.name, out); larder::encode(m.weights, out); }
//     static Model decode(Decoder& in) { return {larder::decode<std::string>(in),
//     larder::decode<std::vector<float>>(in)}; }
//   };
//
// The type name is stored beside the value: asking for an entry as a type of another name is
// Error(type_mismatch), never a reinterpretation. Decoding runs on bytes that may be damaged or
// hostile: a Decoder checks every length, and nothing that is stored is ever executed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include <larder/array.hpp>
#include <larder/result.hpp>

namespace larder {

using Bytes = std::span<const std::byte>;

// Collects the encoded form of a value as a list of pieces, so that large payloads go from where they
// are to the disk without being copied together first.
class LARDER_API Encoder {
 public:
  // Copies bytes. For lengths, names, small fields.
  void copy(Bytes bytes);
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void number(const T& value) { copy(std::as_bytes(std::span(&value, 1))); }
  // Refers to bytes, which must live as long as the value that is being encoded.
  void refer(Bytes bytes);
  // Pads with zeros until the length so far is a multiple of `alignment` (a power of two).
  void align(std::size_t alignment);
  // Says that the next `bytes` bytes are numbers of `width` bytes each (1, 2, 4, 8 or 16): they compress better by
  // that.
  void numbers(std::size_t width, std::uint64_t bytes) noexcept;

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // The width of the numbers that more than half of the bytes are; 1 if most are no numbers.
  [[nodiscard]] std::size_t number_bytes() const noexcept;
  // The pieces in order; valid until the Encoder changes or dies.
  [[nodiscard]] std::vector<Bytes> pieces() const;
  // Everything copied together.
  [[nodiscard]] std::vector<std::byte> joined() const;

 private:
  struct Piece {
    const std::byte* outside;  // null: the bytes are the next `length` of copied_
    std::size_t length;
  };
  std::vector<std::byte> copied_;
  std::vector<Piece> pieces_;
  std::uint64_t size_ = 0;
  std::array<std::uint64_t, 5> bytes_of_numbers_{};  // by the binary logarithm of their width
};

// Reads an encoded value. Throws Error(damaged) when asked for more than there is.
class LARDER_API Decoder {
 public:
  // `owner` keeps `bytes` alive; decoded values may share it instead of copying.
  Decoder(Bytes bytes, std::shared_ptr<const void> owner) : bytes_(bytes), owner_(std::move(owner)) {}

  // The next `length` bytes, in place. They live as long as owner().
  Bytes take(std::uint64_t length);
  template <class T>
  requires std::is_trivially_copyable_v<T> T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  // A count of things of at least `bytes_each` bytes (1 or more): checked against what is left, so
  // that a damaged count never asks for memory that the bytes cannot fill.
  std::uint64_t count(std::uint64_t bytes_each);
  // Skips the padding that Encoder::align wrote.
  void align(std::size_t alignment);

  [[nodiscard]] std::uint64_t remaining() const noexcept { return bytes_.size() - position_; }
  [[nodiscard]] const std::shared_ptr<const void>& owner() const& noexcept { return owner_; }
  [[nodiscard]] std::shared_ptr<const void> owner() && noexcept { return std::move(owner_); }
  // Throws Error(damaged), saying `what` is wrong.
  [[noreturn]] void fail(const char* what) const;

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
  std::shared_ptr<const void> owner_;
};

// The customization point; see the top of this file. Optional members of a specialization:
//   static std::size_t weight(const T&)   bytes of memory the value takes, itself included; without it
//                                         the encoded size plus sizeof(T) is charged
//   static constexpr bool borrows = true  decoded values point into the stored bytes (a view)
template <class T>
struct Codec {};

template <class T>
concept Storable = requires(const T& value, Encoder& encoder, Decoder& decoder) {
  { Codec<T>::type_name() } -> std::convertible_to<std::string>;
  Codec<T>::encode(value, encoder);
  { Codec<T>::decode(decoder) } -> std::same_as<T>;
};

template <Storable T>
void encode(const T& value, Encoder& out) {
  Codec<T>::encode(value, out);
}
template <Storable T>
T decode(Decoder& in) {
  return Codec<T>::decode(in);
}

// Bytes of memory that `value` takes, itself included.
template <Storable T>
std::size_t weight(const T& value) {
  if constexpr (requires { Codec<T>::weight(value); }) {
    return Codec<T>::weight(value);
  } else {
    Encoder encoder;
    Codec<T>::encode(value, encoder);
    return sizeof(T) + static_cast<std::size_t>(encoder.size());
  }
}

namespace detail {

template <class T>
constexpr bool borrows() {
  if constexpr (requires { Codec<T>::borrows; }) return Codec<T>::borrows;
  return false;
}

// A value whose type the rooms below the API need not know: shared, immutable.
using Value = std::shared_ptr<const void>;

// What the rooms below the API know of a type: its names and its codec, with the type erased. One
// object per type and shared library; compare by `id`, never by address.
struct Type {
  const std::string& (*name)();  // Codec<T>::type_name(), bounded
  const std::type_info* id;      // typeid(T)
  bool borrows;                  // decoded values point into the stored bytes
  bool is_view;                  // they do, or may keep and share them (an Array)
  void (*encode)(const void* value, Encoder& out);
  // Throws what the codec throws, and Error(damaged) if bytes are left over.
  Value (*decode)(Bytes bytes, std::shared_ptr<const void> owner);
  std::size_t (*weight)(const void* value);
};

// A type name is at most this long; of a longer one (deeply nested types) the rest enters by its digest.
inline constexpr std::size_t k_type_name_bytes_max = 255;
LARDER_API std::string bounded_type_name(std::string name);

// A constant, so that naming the type costs a lookup nothing.
template <Storable T>
inline constexpr Type k_type = {
    []() -> const std::string& {
      // Never destroyed: objects that are destroyed at the program's end may still use a cache.
      static const std::string& name = *new const std::string(bounded_type_name(Codec<T>::type_name()));
      return name;
    },
    &typeid(T),
    borrows<T>(),
    borrows<T>() || std::is_same_v<T, Array>,
    [](const void* value, Encoder& out) { Codec<T>::encode(*static_cast<const T*>(value), out); },
    [](Bytes bytes, std::shared_ptr<const void> owner) -> Value {
      Decoder in(bytes, std::move(owner));
      // The decoded object and whatever it points into live and die together.
      struct Held {
        std::shared_ptr<const void> owner;
        T value;
      };
      auto held = std::make_shared<Held>(Held{nullptr, Codec<T>::decode(in)});
      if (in.remaining() != 0) in.fail("bytes are left over after the value");
      if constexpr (borrows<T>()) held->owner = std::move(in).owner();
      const T* const value = &held->value;
      return Value(std::move(held), value);
    },
    [](const void* value) { return larder::weight(*static_cast<const T*>(value)); },
};

}  // namespace detail
}  // namespace larder
