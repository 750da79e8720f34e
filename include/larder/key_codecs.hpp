// How the standard's types enter a key. Included by key.hpp.
//
//   bool                                  boolean
//   integers, enums                       integer: the value alone counts, not the width
//   float, double                         real, as double
//   std::string, string_view, char*, char[N], char    text (char arrays and pointers up to the first NUL)
//   std::complex                          complex
//   vector, span, std::array of numbers   array: dtype, shape and a digest of all elements
//   vector, span, std::array of std::byte bytes
//   vector, span, std::array of others    list
//   optional                              none, or the value
//   pair, tuple                           tuple
//   set, map and their unordered twins    set, map: the order does not matter
//   Array, Digest                         array, digest
//
// Pointers (other than to text), wide characters and long double have no encoding.
#pragma once

#include <array>
#include <complex>
#include <concepts>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <larder/key.hpp>

namespace larder {

template <>
struct KeyCodec<bool> {
  static void encode(KeyEncoder& out, bool value) { out.boolean(value); }
};

namespace detail {
template <class T>
concept KeyInteger =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;
}  // namespace detail

template <detail::KeyInteger T>
struct KeyCodec<T> {
  static void encode(KeyEncoder& out, T value) {
    if constexpr (std::is_signed_v<T>) {
      out.integer(value);
    } else {
      out.natural(value);
    }
  }
};

template <class T>
requires std::is_enum_v<T>
struct KeyCodec<T> {
  static void encode(KeyEncoder& out, T value) {
    if constexpr (std::is_signed_v<std::underlying_type_t<T>>) {
      out.integer(static_cast<std::int64_t>(value));
    } else {
      out.natural(static_cast<std::uint64_t>(value));
    }
  }
};

template <class T>
requires(std::same_as<T, float> || std::same_as<T, double>) struct KeyCodec<T> {
  static void encode(KeyEncoder& out, T value) { out.real(static_cast<double>(value)); }
};

template <class T>
requires(std::same_as<T, float> || std::same_as<T, double>) struct KeyCodec<std::complex<T>> {
  static void encode(KeyEncoder& out, const std::complex<T>& value) {
    out.complex(static_cast<double>(value.real()), static_cast<double>(value.imag()));
  }
};

// --- text ---

template <>
struct KeyCodec<std::string_view> {
  static void encode(KeyEncoder& out, std::string_view value) { out.text(value); }
};
template <>
struct KeyCodec<std::string> : KeyCodec<std::string_view> {};
template <>
struct KeyCodec<char> {
  static void encode(KeyEncoder& out, char value) { out.text({&value, 1}); }
};
template <>
struct KeyCodec<const char*> {
  // No text at all is none.
  static void encode(KeyEncoder& out, const char* value) {
    if (value == nullptr) {
      out.none();
    } else {
      out.text(value);
    }
  }
};
template <>
struct KeyCodec<char*> : KeyCodec<const char*> {};
template <std::size_t N>
struct KeyCodec<char[N]> {
  static void encode(KeyEncoder& out, const char (&value)[N]) { out.text({value, strnlen(value, N)}); }
};

// --- sequences ---

namespace detail {
template <class T>
concept KeyMember = Element<T> || KeyArgument<T>;

template <KeyMember T>
void encode_key_sequence(KeyEncoder& out, std::span<const T> values) {
  if constexpr (Element<T>) {
    const std::uint64_t shape = values.size();
    out.array(k_dtype_of<T>, {&shape, 1}, std::as_bytes(values));
  } else if constexpr (std::same_as<T, std::byte>) {
    out.bytes(values);
  } else {
    out.list(values.size());
    for (const T& value : values) encode_key(out, value);
  }
}
}  // namespace detail

template <class T, std::size_t Extent>
requires detail::KeyMember<std::remove_const_t<T>>
struct KeyCodec<std::span<T, Extent>> {
  static void encode(KeyEncoder& out, std::span<T, Extent> values) {
    detail::encode_key_sequence<std::remove_const_t<T>>(out, values);
  }
};
template <detail::KeyMember T, class Allocator>
struct KeyCodec<std::vector<T, Allocator>> {
  static void encode(KeyEncoder& out, const std::vector<T, Allocator>& values) {
    detail::encode_key_sequence<T>(out, values);
  }
};
// The same as a span of bool.
template <class Allocator>
struct KeyCodec<std::vector<bool, Allocator>> {
  static void encode(KeyEncoder& out, const std::vector<bool, Allocator>& values) {
    std::vector<std::byte> bytes;
    bytes.reserve(values.size());
    for (const bool value : values) bytes.push_back(std::byte{value});
    const std::uint64_t shape = values.size();
    out.array(DType::boolean, {&shape, 1}, bytes);
  }
};
template <detail::KeyMember T, std::size_t N>
struct KeyCodec<std::array<T, N>> {
  static void encode(KeyEncoder& out, const std::array<T, N>& values) { detail::encode_key_sequence<T>(out, values); }
};

template <>
struct KeyCodec<Array> {
  static void encode(KeyEncoder& out, const Array& value) { out.array(value.dtype(), value.shape(), value.bytes()); }
};
template <>
struct KeyCodec<Digest> {
  static void encode(KeyEncoder& out, const Digest& value) { out.digest(value); }
};

// --- compounds ---

template <KeyArgument T>
struct KeyCodec<std::optional<T>> {
  static void encode(KeyEncoder& out, const std::optional<T>& value) {
    if (value) {
      encode_key(out, *value);
    } else {
      out.none();
    }
  }
};
template <KeyArgument... T>
struct KeyCodec<std::tuple<T...>> {
  static void encode(KeyEncoder& out, const std::tuple<T...>& value) {
    out.tuple(sizeof...(T));
    std::apply([&](const auto&... member) { (encode_key(out, member), ...); }, value);
  }
};
template <KeyArgument A, KeyArgument B>
struct KeyCodec<std::pair<A, B>> {
  static void encode(KeyEncoder& out, const std::pair<A, B>& value) {
    out.tuple(2);
    encode_key(out, value.first);
    encode_key(out, value.second);
  }
};

namespace detail {
template <KeyArgument T>
std::string encoded_key(const T& value) {
  KeyEncoder encoder;
  encode_key(encoder, value);
  return std::move(encoder).take();
}

struct KeySetCodec {
  static void encode(KeyEncoder& out, const auto& values) {
    std::vector<std::string> members;
    members.reserve(values.size());
    for (const auto& value : values) members.push_back(encoded_key(value));
    out.set(std::move(members));
  }
};
struct KeyMapCodec {
  static void encode(KeyEncoder& out, const auto& values) {
    std::vector<std::pair<std::string, std::string>> members;
    members.reserve(values.size());
    for (const auto& [key, value] : values) members.emplace_back(encoded_key(key), encoded_key(value));
    out.map(std::move(members));
  }
};
}  // namespace detail

template <KeyArgument T, class... Policies>
struct KeyCodec<std::set<T, Policies...>> : detail::KeySetCodec {};
template <KeyArgument T, class... Policies>
struct KeyCodec<std::unordered_set<T, Policies...>> : detail::KeySetCodec {};
template <KeyArgument K, KeyArgument V, class... Policies>
struct KeyCodec<std::map<K, V, Policies...>> : detail::KeyMapCodec {};
template <KeyArgument K, KeyArgument V, class... Policies>
struct KeyCodec<std::unordered_map<K, V, Policies...>> : detail::KeyMapCodec {};

}  // namespace larder
