// Codecs of the standard's types. Included by cache.hpp.
//
//   type                                   name              bytes (little-endian, as in memory)
//   bool, integers, float, double, complex "f64"             the number
//   std::byte                              "byte"            the byte
//   enums, trivially copyable structs      "raw:<type>:<n>"  the n bytes of the object
//   std::array<T, N>                       "T[N]"            the elements
//   std::string, std::string_view *        "text"            u64 length, the text
//   vector<T>, span<const T> * of these    "T[]"             u64 count, padding, the elements
//   vector<T> of others                    "T[]"             u64 count, the elements
//   Array                                  "array"           u8 dtype, u64 dimensions, shape, padding, the elements
//   optional, pair, tuple                  "optional<T>" …   u8 0 or 1, the value; the members
//   set, map and their unordered twins     "set<T>" …        u64 count, the members
//
// * decoded values are views: they live as long as the handle they came in, and nothing is copied.
//
// A struct is stored under its name and size as its bytes: one that changes meaning without changing
// size needs a Codec of its own, as does one with pointers inside, and one from an unnamed namespace
// that several programs share, because its name is not unique. Pointers, references and ranges
// without a codec are not Storable.
#pragma once

#include <algorithm>
#include <array>
#include <complex>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <larder/array.hpp>
#include <larder/codec.hpp>

namespace larder {

namespace detail {

// Payloads from this length on are referred to instead of copied, and start at a multiple of 64; of
// 4096 where they fill 64 KiB, so that they lie on pages of their own.
inline constexpr std::uint64_t k_refer_bytes_min = 4096;
inline constexpr std::uint64_t k_page_align_bytes_min = 64 * 1024;

constexpr std::size_t payload_alignment(std::uint64_t bytes, std::size_t least) {
  return std::max<std::size_t>(bytes >= k_page_align_bytes_min ? 4096 : bytes >= k_refer_bytes_min ? 64 : 1, least);
}

// `width`: of the numbers that the bytes are.
inline void encode_payload(Bytes bytes, Encoder& out, std::size_t width = 1) {
  out.numbers(width, bytes.size());
  if (bytes.size() >= k_refer_bytes_min) {
    out.refer(bytes);
  } else {
    out.copy(bytes);
  }
}

// What the heap takes for a block of `bytes`: 8 bytes more, in steps of 16.
constexpr std::size_t heap_block(std::size_t bytes) {
  return bytes == 0 ? 0 : std::max<std::size_t>((bytes + 8 + 15) / 16 * 16, 32);
}

// What `value` takes beyond itself.
template <Storable T>
std::size_t heap_weight(const T& value) {
  const std::size_t all = larder::weight(value);
  return all > sizeof(T) ? all - sizeof(T) : 0;
}

// Whether T is stored as the bytes of the object, and vectors of it therefore contiguously.
template <class T>
concept Flat = Storable<T> && requires {
  typename Codec<T>::flat;
};

// The width of the numbers that a Flat T is made of, as far as its alignment tells.
template <class T>
inline constexpr std::size_t k_number_bytes = std::min<std::size_t>(alignof(T), 16);

// Whether T points elsewhere, as far as a type shows it: pointers, references, ranges without a codec,
// and templates over them (optional<int*>, iterators).
template <class T>
inline constexpr bool k_points = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T> ||
                                 std::is_reference_v<T> || std::is_array_v<T> || std::ranges::range<T>;
template <template <class...> class Template, class... T>
inline constexpr bool k_points<Template<T...>> = std::ranges::range<Template<T...>> || (k_points<T> || ...);

// Types whose bytes are all there is to say.
template <class T>
concept Raw = std::is_object_v<T> && std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T> &&
              !std::is_const_v<T> &&
              !std::is_volatile_v<T> && !k_points<T>;

// A bool may be no other byte than 0 or 1: reading another is undefined.
inline void require_bools(Bytes bytes, const Decoder& in) {
  unsigned seen = 0;
  for (const std::byte byte : bytes) seen |= static_cast<unsigned>(byte);
  if (seen > 1) in.fail("a bool is neither 0 nor 1");
}

// Takes `count` elements in place.
template <Flat T>
Bytes take_flat(std::uint64_t count, Decoder& in) {
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, sizeof(T), &bytes)) in.fail("a count promises more than the bytes hold");
  const Bytes taken = in.take(bytes);
  if constexpr (Codec<T>::holds_bools) require_bools(taken, in);
  return taken;
}

// The codec of vectors and spans of Flat elements: count, padding, elements.
template <Flat T>
struct FlatSequence {
  static std::string type_name() { return Codec<T>::type_name() + "[]"; }
  static void encode_elements(std::span<const T> values, Encoder& out) {
    out.number(std::uint64_t{values.size()});
    out.align(payload_alignment(values.size_bytes(), alignof(T)));
    encode_payload(std::as_bytes(values), out, k_number_bytes<T>);
  }
  static Bytes decode_elements(Decoder& in) {
    const std::uint64_t count = in.count(sizeof(T));
    in.align(payload_alignment(count * sizeof(T), alignof(T)));
    return take_flat<T>(count, in);
  }
};

// Members of containers take a byte or more, so that a count can be checked against the bytes left.
template <Storable T>
void encode_member(const T& value, Encoder& out) {
  const std::uint64_t before = out.size();
  encode(value, out);
  if (out.size() == before) out.number(std::uint8_t{0});
}
template <Storable T>
T decode_member(Decoder& in) {
  const std::uint64_t before = in.remaining();
  T value = decode<T>(in);
  if (in.remaining() == before) in.take(1);
  return value;
}

}  // namespace detail

template <detail::Raw T>
struct Codec<T> {
  using flat = void;
  static constexpr bool holds_bools = std::is_same_v<T, bool>;

  static std::string type_name() {
    if constexpr (Element<T>) {
      return std::string(dtype_name(k_dtype_of<T>));
    } else if constexpr (std::is_same_v<T, std::byte>) {
      return "byte";
    } else {
      return std::string("raw:") + typeid(T).name() + ':' + std::to_string(sizeof(T));
    }
  }
  static void encode(const T& value, Encoder& out) { out.number(value); }
  static T decode(Decoder& in) {
    T value;
    std::memcpy(&value, detail::take_flat<T>(1, in).data(), sizeof(T));
    return value;
  }
  static std::size_t weight(const T&) { return sizeof(T); }
};

// --- text ---

template <>
struct Codec<std::string_view> {
  static constexpr bool borrows = true;
  static std::string type_name() { return "text"; }
  static void encode(std::string_view value, Encoder& out) {
    out.number(std::uint64_t{value.size()});
    detail::encode_payload(std::as_bytes(std::span(value)), out);
  }
  static std::string_view decode(Decoder& in) {
    const Bytes bytes = in.take(in.count(1));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  static std::size_t weight(std::string_view value) { return sizeof(value) + value.size(); }
};

template <>
struct Codec<std::string> {
  static std::string type_name() { return "text"; }
  static void encode(const std::string& value, Encoder& out) { Codec<std::string_view>::encode(value, out); }
  static std::string decode(Decoder& in) { return std::string(Codec<std::string_view>::decode(in)); }
  static std::size_t weight(const std::string& value) {
    static const std::size_t inside = std::string().capacity();
    return sizeof(value) + (value.capacity() > inside ? detail::heap_block(value.capacity() + 1) : 0);
  }
};

// --- sequences ---

template <detail::Flat T>
requires(alignof(T) <= 64) struct Codec<std::span<const T>> : detail::FlatSequence<T> {
  static constexpr bool borrows = true;
  static void encode(std::span<const T> values, Encoder& out) { Codec::encode_elements(values, out); }
  static std::span<const T> decode(Decoder& in) {
    const Bytes bytes = Codec::decode_elements(in);
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0) in.fail("the elements are misaligned");
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  static std::size_t weight(std::span<const T> values) { return sizeof(values) + values.size_bytes(); }
};

template <detail::Flat T>
struct Codec<std::vector<T>> : detail::FlatSequence<T> {
  static void encode(const std::vector<T>& values, Encoder& out) { Codec::encode_elements(values, out); }
  static std::vector<T> decode(Decoder& in) {
    const Bytes bytes = Codec::decode_elements(in);
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  static std::size_t weight(const std::vector<T>& values) {
    return sizeof(values) + detail::heap_block(values.capacity() * sizeof(T));
  }
};

// The same bytes as a span of bool.
template <>
struct Codec<std::vector<bool>> {
  static std::string type_name() { return Codec<std::span<const bool>>::type_name(); }
  static void encode(const std::vector<bool>& values, Encoder& out) {
    std::vector<std::byte> bytes;
    bytes.reserve(values.size());
    for (const bool value : values) bytes.push_back(std::byte{value});
    out.number(std::uint64_t{values.size()});
    out.align(detail::payload_alignment(values.size(), 1));
    out.copy(bytes);
  }
  static std::vector<bool> decode(Decoder& in) {
    const auto values = Codec<std::span<const bool>>::decode(in);
    return {values.begin(), values.end()};
  }
  static std::size_t weight(const std::vector<bool>& values) {
    return sizeof(values) + detail::heap_block(values.capacity() / 8);
  }
};

template <Storable T>
requires(!detail::Flat<T>) struct Codec<std::vector<T>> {
  static constexpr bool borrows = detail::borrows<T>();
  static std::string type_name() { return Codec<T>::type_name() + "[]"; }
  static void encode(const std::vector<T>& values, Encoder& out) {
    out.number(std::uint64_t{values.size()});
    for (const T& value : values) detail::encode_member(value, out);
  }
  static std::vector<T> decode(Decoder& in) {
    const std::uint64_t count = in.count(1);
    std::vector<T> values;
    // A damaged count must not ask for more memory than the bytes that are there.
    values.reserve(static_cast<std::size_t>(std::min(count, in.remaining() / sizeof(T))));
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(detail::decode_member<T>(in));
    return values;
  }
  static std::size_t weight(const std::vector<T>& values) {
    std::size_t sum = sizeof(values) + detail::heap_block(values.capacity() * sizeof(T));
    for (const T& value : values) sum += detail::heap_weight(value);
    return sum;
  }
};

template <detail::Flat T, std::size_t N>
struct Codec<std::array<T, N>> {
  using flat = void;
  static constexpr bool holds_bools = Codec<T>::holds_bools;
  static std::string type_name() { return Codec<T>::type_name() + '[' + std::to_string(N) + ']'; }
  static void encode(const std::array<T, N>& values, Encoder& out) {
    detail::encode_payload(std::as_bytes(std::span<const T>(values)), out, detail::k_number_bytes<T>);
  }
  static std::array<T, N> decode(Decoder& in) {
    std::array<T, N> values;
    if constexpr (N > 0) std::memcpy(values.data(), detail::take_flat<T>(N, in).data(), sizeof(values));
    return values;
  }
  static std::size_t weight(const std::array<T, N>&) { return sizeof(std::array<T, N>); }
};

template <Storable T, std::size_t N>
requires(!detail::Flat<T>) struct Codec<std::array<T, N>> {
  static constexpr bool borrows = detail::borrows<T>();
  static std::string type_name() { return Codec<T>::type_name() + '[' + std::to_string(N) + ']'; }
  static void encode(const std::array<T, N>& values, Encoder& out) {
    for (const T& value : values) larder::encode(value, out);
  }
  static std::array<T, N> decode(Decoder& in) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<T, N>{(static_cast<void>(I), larder::decode<T>(in))...};
    }
    (std::make_index_sequence<N>());
  }
  static std::size_t weight(const std::array<T, N>& values) {
    std::size_t sum = sizeof(values);
    for (const T& value : values) sum += detail::heap_weight(value);
    return sum;
  }
};

// Shares the stored bytes when they are kept alive by an owner and lie aligned, as they do in the store;
// copies them otherwise.
template <>
struct Codec<Array> {
  static std::string type_name() { return "array"; }
  static void encode(const Array& value, Encoder& out) {
    out.number(value.dtype());
    out.number(std::uint64_t{value.shape().size()});
    for (const std::uint64_t extent : value.shape()) out.number(extent);
    out.align(detail::payload_alignment(value.bytes().size(), 64));
    detail::encode_payload(value.bytes(), out, dtype_bytes(value.dtype()));
  }
  static Array decode(Decoder& in) {
    const auto dtype = static_cast<DType>(in.number<std::uint8_t>());
    std::vector<std::uint64_t> shape(static_cast<std::size_t>(in.count(sizeof(std::uint64_t))));
    for (std::uint64_t& extent : shape) extent = in.number<std::uint64_t>();
    std::uint64_t bytes = dtype_bytes(dtype);
    bool empty = false;
    for (const std::uint64_t extent : shape) empty = empty || extent == 0;
    for (const std::uint64_t extent : shape) {
      if (!empty && __builtin_mul_overflow(bytes, extent, &bytes)) in.fail("the shape of an array is impossible");
    }
    if (dtype_bytes(dtype) == 0) in.fail("an array has an unknown dtype");
    if (empty) bytes = 0;
    in.align(detail::payload_alignment(bytes, 64));
    const Bytes elements = in.take(bytes);
    if (dtype == DType::boolean) detail::require_bools(elements, in);
    const bool aligned = reinterpret_cast<std::uintptr_t>(elements.data()) % 64 == 0;
    if (in.owner() && aligned) return Array::adopt(dtype, std::move(shape), elements, in.owner());
    return Array::copy_of(dtype, std::move(shape), elements);
  }
  static std::size_t weight(const Array& value) {
    return sizeof(value) + detail::heap_block(value.shape().capacity() * sizeof(std::uint64_t)) +
           detail::heap_block(value.bytes().size());
  }
};

// --- compounds ---

template <Storable T>
struct Codec<std::optional<T>> {
  static constexpr bool borrows = detail::borrows<T>();
  static std::string type_name() { return "optional<" + Codec<T>::type_name() + '>'; }
  static void encode(const std::optional<T>& value, Encoder& out) {
    out.number(static_cast<std::uint8_t>(value.has_value()));
    if (value) larder::encode(*value, out);
  }
  static std::optional<T> decode(Decoder& in) {
    if (!larder::decode<bool>(in)) return std::nullopt;
    return larder::decode<T>(in);
  }
  static std::size_t weight(const std::optional<T>& value) {
    return sizeof(value) + (value ? detail::heap_weight(*value) : 0);
  }
};

template <Storable... T>
struct Codec<std::tuple<T...>> {
  static constexpr bool borrows = (detail::borrows<T>() || ...);
  static std::string type_name() {
    std::string name = "tuple<";
    ((name += Codec<T>::type_name() + ','), ...);
    if (name.back() == ',') name.pop_back();
    return name + '>';
  }
  static void encode(const std::tuple<T...>& value, Encoder& out) {
    std::apply([&](const T&... member) { (larder::encode(member, out), ...); }, value);
  }
  // Braces: the members are read from left to right.
  static std::tuple<T...> decode(Decoder& in) { return std::tuple<T...>{larder::decode<T>(in)...}; }
  static std::size_t weight(const std::tuple<T...>& value) {
    return sizeof(value) +
           std::apply([](const T&... member) { return (std::size_t{0} + ... + detail::heap_weight(member)); }, value);
  }
};

template <Storable A, Storable B>
struct Codec<std::pair<A, B>> {
  static constexpr bool borrows = detail::borrows<A>() || detail::borrows<B>();
  static std::string type_name() { return Codec<std::tuple<A, B>>::type_name(); }
  static void encode(const std::pair<A, B>& value, Encoder& out) {
    larder::encode(value.first, out);
    larder::encode(value.second, out);
  }
  static std::pair<A, B> decode(Decoder& in) { return std::pair<A, B>{larder::decode<A>(in), larder::decode<B>(in)}; }
  static std::size_t weight(const std::pair<A, B>& value) {
    return sizeof(value) + detail::heap_weight(value.first) + detail::heap_weight(value.second);
  }
};

namespace detail {

// Sets: Member is the element; maps: a pair of key and value. `node_bytes` is what a node takes beside it.
template <class Container, Storable Member, std::size_t NodeBytes>
struct NodeCodec {
  static constexpr bool borrows = detail::borrows<Member>();
  static void encode(const Container& values, Encoder& out) {
    out.number(std::uint64_t{values.size()});
    for (const auto& value : values) {
      if constexpr (std::same_as<std::remove_cvref_t<decltype(value)>, Member>) {
        encode_member(value, out);
      } else {
        larder::encode(value.first, out);
        encode_member(value.second, out);
      }
    }
  }
  static Container decode(Decoder& in) {
    Container values;
    for (std::uint64_t left = in.count(1); left > 0; --left) {
      if constexpr (std::same_as<typename Container::value_type, Member>) {
        values.insert(decode_member<Member>(in));
      } else {
        auto key = larder::decode<typename Container::key_type>(in);
        values.emplace(std::move(key), decode_member<typename Container::mapped_type>(in));
      }
    }
    return values;
  }
  static std::size_t weight(const Container& values) {
    std::size_t sum = sizeof(values) + values.size() * heap_block(NodeBytes + sizeof(typename Container::value_type));
    if constexpr (requires { values.bucket_count(); }) sum += heap_block(values.bucket_count() * sizeof(void*));
    for (const auto& value : values) {
      if constexpr (std::same_as<typename Container::value_type, Member>) {
        sum += heap_weight(value);
      } else {
        sum += heap_weight(value.first) + heap_weight(value.second);
      }
    }
    return sum;
  }
};
inline constexpr std::size_t k_tree_node_bytes = 32;  // color and three pointers
inline constexpr std::size_t k_hash_node_bytes = 16;  // a pointer and the cached hash

template <Storable T>
std::string set_name() {
  return "set<" + Codec<T>::type_name() + '>';
}
template <Storable K, Storable V>
std::string map_name() {
  return "map<" + Codec<K>::type_name() + ',' + Codec<V>::type_name() + '>';
}

}  // namespace detail

template <Storable T>
struct Codec<std::set<T>> : detail::NodeCodec<std::set<T>, T, detail::k_tree_node_bytes> {
  static std::string type_name() { return detail::set_name<T>(); }
};
template <Storable T>
struct Codec<std::unordered_set<T>> : detail::NodeCodec<std::unordered_set<T>, T, detail::k_hash_node_bytes> {
  static std::string type_name() { return detail::set_name<T>(); }
};
template <Storable K, Storable V>
struct Codec<std::map<K, V>> : detail::NodeCodec<std::map<K, V>, std::pair<K, V>, detail::k_tree_node_bytes> {
  static std::string type_name() { return detail::map_name<K, V>(); }
};
template <Storable K, Storable V>
struct Codec<std::unordered_map<K, V>>
    : detail::NodeCodec<std::unordered_map<K, V>, std::pair<K, V>, detail::k_hash_node_bytes> {
  static std::string type_name() { return detail::map_name<K, V>(); }
};

}  // namespace larder
