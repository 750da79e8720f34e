// An n-dimensional array of numbers with a dtype and a shape: the zero-copy value for numeric work.
//
// An Array is immutable and shares ownership of its elements: copying one copies a pointer. Read from
// the store, its elements lie in the mapped file, shared by all processes; the Array keeps the mapping
// alive for as long as it lives. Elements are always contiguous in C order (last index fastest) and
// aligned to 64 bytes (to 4096 where they came from the store and fill 64 KiB or more).
//
// Threads: an Array may be copied and read from any thread.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <larder/result.hpp>

namespace larder {

// The type of an element. The numbers are written to disk: permanent.
enum class DType : std::uint8_t {
  boolean = 1,
  i8 = 2,
  i16 = 3,
  i32 = 4,
  i64 = 5,
  u8 = 6,
  u16 = 7,
  u32 = 8,
  u64 = 9,
  f32 = 10,
  f64 = 11,
  c64 = 12,
  c128 = 13,
};

// Bytes of one element; 0 for a number that is no DType.
LARDER_API std::size_t dtype_bytes(DType dtype);
// "f64", "bool", "c128".
LARDER_API std::string_view dtype_name(DType dtype);

namespace detail {
// The DType of a C++ element type; no member `value` for a type without one.
template <class T>
struct DTypeOf {};
template <DType D>
struct DTypeIs {
  static constexpr DType value = D;
};
template <>
struct DTypeOf<bool> : DTypeIs<DType::boolean> {};
template <>
struct DTypeOf<float> : DTypeIs<DType::f32> {};
template <>
struct DTypeOf<double> : DTypeIs<DType::f64> {};
template <>
struct DTypeOf<std::complex<float>> : DTypeIs<DType::c64> {};
template <>
struct DTypeOf<std::complex<double>> : DTypeIs<DType::c128> {};
// By width and sign, so that `long` and `long long` are both i64.
template <class T>
requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) struct DTypeOf<T>
    : DTypeIs<static_cast<DType>((std::is_signed_v<T> ? 2 : 6) + (sizeof(T) == 1   ? 0
                                                                  : sizeof(T) == 2 ? 1
                                                                  : sizeof(T) == 4 ? 2
                                                                                   : 3))> {
};
}  // namespace detail

// A C++ type that can be an element of an array.
template <class T>
concept Element = requires {
  detail::DTypeOf<std::remove_cv_t<T>>::value;
};

template <Element T>
inline constexpr DType k_dtype_of = detail::DTypeOf<std::remove_cv_t<T>>::value;

class LARDER_API Array {
 public:
  // An empty one-dimensional array of f64.
  Array() = default;

  // Copies `elements` (in C order) into a new array of `shape`.
  // Throws Error(invalid_option) unless the product of `shape` is elements.size().
  template <Element T>
  static Array copy_of(std::span<const T> elements, std::vector<std::uint64_t> shape) {
    return copy_of(k_dtype_of<T>, std::move(shape), std::as_bytes(elements));
  }
  template <Element T>
  static Array copy_of(const std::vector<T>& elements) {
    return copy_of<T>(std::span<const T>(elements), {elements.size()});
  }
  static Array copy_of(DType dtype, std::vector<std::uint64_t> shape, std::span<const std::byte> bytes);

  // Copies elements that lie `strides` bytes apart (one stride a dimension; negative and zero strides
  // allowed, as NumPy has them) into C order: two arrays that are equal element by element are
  // stored, and enter keys, as the same bytes.
  static Array from_strided(DType dtype, std::vector<std::uint64_t> shape, std::span<const std::int64_t> strides,
                            const std::byte* first);

  // Takes elements over without copying: they must stay as they are for as long as `owner` lives.
  // REQUIRES: `bytes` is aligned to the element and as long as `shape` says (Error(invalid_option)).
  static Array adopt(DType dtype, std::vector<std::uint64_t> shape, std::span<const std::byte> bytes,
                     std::shared_ptr<const void> owner);

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const std::vector<std::uint64_t>& shape() const noexcept { return shape_; }
  [[nodiscard]] std::uint64_t size() const noexcept;  // elements
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

  // The elements. Throws Error(type_mismatch) if T is not what the array holds.
  template <Element T>
  [[nodiscard]] std::span<const T> as() const {
    require(k_dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }

  // Same dtype, shape and bytes (so NaN equals the same NaN, and 0.0 differs from -0.0).
  friend LARDER_API bool operator==(const Array& a, const Array& b);

 private:
  void require(DType dtype) const;

  DType dtype_ = DType::f64;
  std::vector<std::uint64_t> shape_ = {0};
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace larder
