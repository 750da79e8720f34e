#include <larder/array.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

namespace larder {
namespace {

constexpr std::align_val_t k_alignment{64};

// Bytes of an array of this shape; nothing if that does not fit or the dtype is unknown.
std::optional<std::uint64_t> bytes_of(DType dtype, std::span<const std::uint64_t> shape) {
  std::uint64_t bytes = dtype_bytes(dtype);
  if (bytes == 0) return std::nullopt;
  if (std::ranges::find(shape, 0u) != shape.end()) return 0;
  for (const std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

[[noreturn]] void refuse(const char* what) {
  throw Error(Errc::invalid_option, what);
}

std::shared_ptr<std::byte> allocate(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(::operator new(std::max<std::size_t>(bytes, 1), k_alignment));
  return {memory, [](std::byte* p) { ::operator delete(p, k_alignment); }};
}

}  // namespace

std::size_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::boolean:
    case DType::i8:
    case DType::u8:
      return 1;
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::i32:
    case DType::u32:
    case DType::f32:
      return 4;
    case DType::i64:
    case DType::u64:
    case DType::f64:
    case DType::c64:
      return 8;
    case DType::c128:
      return 16;
  }
  return 0;
}

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return "bool";
    case DType::i8:
      return "i8";
    case DType::i16:
      return "i16";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
    case DType::u8:
      return "u8";
    case DType::u16:
      return "u16";
    case DType::u32:
      return "u32";
    case DType::u64:
      return "u64";
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::c64:
      return "c64";
    case DType::c128:
      return "c128";
  }
  return "unknown";
}

Array Array::copy_of(DType dtype, std::vector<std::uint64_t> shape, std::span<const std::byte> bytes) {
  if (bytes_of(dtype, shape) != bytes.size()) refuse("the shape of an array does not match its number of bytes");
  const auto memory = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(memory.get(), bytes.data(), bytes.size());
  return adopt(dtype, std::move(shape), {memory.get(), bytes.size()}, memory);
}

Array Array::from_strided(DType dtype, std::vector<std::uint64_t> shape, std::span<const std::int64_t> strides,
                          const std::byte* first) {
  const auto bytes = bytes_of(dtype, shape);
  if (!bytes) refuse("an array of this shape does not fit into memory");
  if (strides.size() != shape.size()) refuse("an array needs one stride a dimension");
  const auto memory = allocate(static_cast<std::size_t>(*bytes));
  const std::size_t width = dtype_bytes(dtype);

  // An odometer: `index` counts through the shape, `offset` follows it by the strides.
  std::vector<std::uint64_t> index(shape.size(), 0);
  std::int64_t offset = 0;
  for (std::byte *out = memory.get(), *end = out + *bytes; out != end; out += width) {
    std::memcpy(out, first + offset, width);
    for (std::size_t d = shape.size(); d-- > 0;) {
      offset += strides[d];
      if (++index[d] < shape[d]) break;
      offset -= strides[d] * static_cast<std::int64_t>(shape[d]);
      index[d] = 0;
    }
  }
  return adopt(dtype, std::move(shape), {memory.get(), static_cast<std::size_t>(*bytes)}, memory);
}

Array Array::adopt(DType dtype, std::vector<std::uint64_t> shape, std::span<const std::byte> bytes,
                   std::shared_ptr<const void> owner) {
  if (bytes_of(dtype, shape) != bytes.size()) refuse("the shape of an array does not match its number of bytes");
  const std::size_t alignment = dtype == DType::c64 ? 4 : std::min<std::size_t>(dtype_bytes(dtype), 8);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0)
    refuse("the elements of an array are misaligned");
  Array array;
  array.dtype_ = dtype;
  array.shape_ = std::move(shape);
  array.bytes_ = bytes;
  array.owner_ = std::move(owner);
  return array;
}

std::uint64_t Array::size() const noexcept {
  return bytes_.size() / dtype_bytes(dtype_);
}

bool operator==(const Array& a, const Array& b) {
  return a.dtype_ == b.dtype_ && a.shape_ == b.shape_ && std::ranges::equal(a.bytes_, b.bytes_);
}

void Array::require(DType dtype) const {
  if (dtype == dtype_) return;
  throw Error(Errc::type_mismatch,
              "the array holds " + std::string(dtype_name(dtype_)) + ", not " + std::string(dtype_name(dtype)));
}

}  // namespace larder
