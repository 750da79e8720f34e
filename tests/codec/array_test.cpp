// Arrays: contiguous, aligned and immutable, whatever they were made from.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <numeric>

#include <larder/array.hpp>
#include <larder/codecs.hpp>
#include <larder/key.hpp>

namespace larder {
namespace {

template <class T>
Array iota(std::vector<std::uint64_t> shape) {
  std::uint64_t size = 1;
  for (const auto extent : shape) size *= extent;
  std::vector<T> values(size);
  std::iota(values.begin(), values.end(), T{0});
  return Array::copy_of<T>(std::span<const T>(values), std::move(shape));
}

Errc refusal(auto make) {
  try {
    make();
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

TEST(Array, DTypesHaveWidthsAndNames) {
  EXPECT_EQ(dtype_bytes(k_dtype_of<bool>), sizeof(bool));
  EXPECT_EQ(dtype_bytes(k_dtype_of<std::int8_t>), 1u);
  EXPECT_EQ(dtype_bytes(k_dtype_of<std::uint16_t>), 2u);
  EXPECT_EQ(dtype_bytes(k_dtype_of<long>), 8u);
  EXPECT_EQ(dtype_bytes(k_dtype_of<float>), 4u);
  EXPECT_EQ(dtype_bytes(k_dtype_of<std::complex<double>>), 16u);
  EXPECT_EQ(dtype_bytes(DType{0}), 0u);
  EXPECT_EQ(dtype_bytes(DType{14}), 0u);
  EXPECT_EQ(dtype_name(k_dtype_of<bool>), "bool");
  EXPECT_EQ(dtype_name(k_dtype_of<long long>), "i64");
  EXPECT_EQ(dtype_name(k_dtype_of<unsigned char>), "u8");
  EXPECT_EQ(dtype_name(k_dtype_of<std::complex<float>>), "c64");
}

TEST(Array, ADefaultArrayIsEmpty) {
  const Array array;
  EXPECT_EQ(array.size(), 0u);
  EXPECT_EQ(array.as<double>().size(), 0u);
  EXPECT_EQ(array, Array::copy_of(std::vector<double>()));
}

TEST(Array, CopiesAreAlignedAndShareTheirElements) {
  const Array array = iota<float>({2, 3});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(array.bytes().data()) % 64, 0u);
  EXPECT_EQ(array.size(), 6u);
  EXPECT_EQ(array.as<float>()[5], 5.0f);
  const Array copy = array;
  EXPECT_EQ(copy.bytes().data(), array.bytes().data());
  EXPECT_EQ(copy, array);
}

TEST(Array, ShapeDtypeAndBytesMakeEquality) {
  EXPECT_NE((iota<float>({2, 3})), (iota<float>({3, 2})));
  EXPECT_NE((iota<float>({2, 3})), (iota<float>({6})));
  EXPECT_NE((iota<std::int32_t>({1})), (iota<float>({1})));
  EXPECT_NE(Array::copy_of(std::vector<double>{0.0}), Array::copy_of(std::vector<double>{-0.0}));
}

TEST(Array, ElementsOfAnotherTypeAreAMismatch) {
  const Array array = iota<float>({3});
  EXPECT_EQ(refusal([&] { (void)array.as<double>(); }), Errc::type_mismatch);
  EXPECT_EQ(refusal([&] { (void)array.as<std::int32_t>(); }), Errc::type_mismatch);
}

TEST(Array, AShapeThatDoesNotMatchIsRefused) {
  const std::vector<double> six(6);
  EXPECT_EQ(refusal([&] { Array::copy_of<double>(six, {2, 2}); }), Errc::invalid_option);
  EXPECT_EQ(refusal([&] { Array::copy_of<double>(six, {}); }), Errc::invalid_option);
  // Products that are six modulo 2^64.
  EXPECT_EQ(refusal([&] { Array::copy_of<double>(six, {std::uint64_t{1} << 63, 2, 3}); }), Errc::invalid_option);
  EXPECT_EQ(refusal([&] { Array::copy_of(DType{0}, {0}, {}); }), Errc::invalid_option);
  EXPECT_EQ(Array::copy_of<double>(std::span<const double>(six).first(1), {}).size(), 1u);
  EXPECT_EQ(Array::copy_of<double>(std::span<const double>(), {UINT64_MAX, 0, UINT64_MAX}).size(), 0u);
}

TEST(Array, AdoptsWithoutCopyingWhatIsAligned) {
  const auto owner = std::make_shared<std::vector<double>>(4, 1.0);
  const auto bytes = std::as_bytes(std::span<const double>(*owner));
  const std::weak_ptr<std::vector<double>> alive = owner;
  {
    const Array array = Array::adopt(DType::f64, {2, 2}, bytes, owner);
    EXPECT_EQ(static_cast<const void*>(array.bytes().data()), static_cast<const void*>(owner->data()));
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(refusal([&] { Array::adopt(DType::f64, {3}, bytes, owner); }), Errc::invalid_option);
  EXPECT_EQ(refusal([&] { Array::adopt(DType::f64, {3}, bytes.subspan(4, 24), owner); }), Errc::invalid_option);
}

TEST(Array, StridesAreLaidOutInCOrder) {
  const std::array<std::int32_t, 6> rows = {1, 2, 3, 4, 5, 6};  // 2 x 3
  const auto* first = std::as_bytes(std::span(rows)).data();
  const auto values = [](const Array& array) {
    const auto span = array.as<std::int32_t>();
    return std::vector<std::int32_t>(span.begin(), span.end());
  };
  using Values = std::vector<std::int32_t>;
  const auto strided = [&](std::vector<std::uint64_t> shape, std::vector<std::int64_t> strides, const std::byte* at) {
    return Array::from_strided(DType::i32, std::move(shape), strides, at);
  };
  EXPECT_EQ(values(strided({2, 3}, {12, 4}, first)), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values(strided({3, 2}, {4, 12}, first)), (Values{1, 4, 2, 5, 3, 6}));  // transposed
  EXPECT_EQ(values(strided({6}, {-4}, first + 20)), (Values{6, 5, 4, 3, 2, 1}));   // reversed
  EXPECT_EQ(values(strided({2, 2}, {0, 4}, first)), (Values{1, 2, 1, 2}));         // broadcast
  EXPECT_EQ(values(strided({}, {}, first)), (Values{1}));
  EXPECT_EQ(values(strided({2, 0}, {4, 4}, first)), (Values{}));
  EXPECT_EQ(refusal([&] { strided({2, 3}, {4}, first); }), Errc::invalid_option);
  EXPECT_EQ(refusal([&] { strided({std::uint64_t{1} << 63, 2}, {4, 4}, first); }), Errc::invalid_option);
}

TEST(Array, EqualElementsMakeEqualKeysWhateverTheStrides) {
  const std::array<std::int32_t, 6> columns = {1, 4, 2, 5, 3, 6};  // 2 x 3 in Fortran order
  const std::array<std::int64_t, 2> strides = {4, 8};
  const Array array = Array::from_strided(DType::i32, {2, 3}, strides, std::as_bytes(std::span(columns)).data());
  const std::vector<std::int32_t> rows = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Key("f", array), Key("f", Array::copy_of<std::int32_t>(rows, {2, 3})));
}

// --- encoded ---

std::vector<std::byte> encoded(const Array& array) {
  Encoder out;
  encode(array, out);
  return out.joined();
}

Array random_array() {
  const auto dtype = static_cast<DType>(*rc::gen::inRange(1, 14));
  const auto shape =
      *rc::gen::resize(6, rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 5)));
  std::uint64_t size = dtype_bytes(dtype);
  for (const auto extent : shape) size *= extent;
  const int values = dtype == DType::boolean ? 2 : 256;
  const auto bytes = *rc::gen::container<std::vector<int>>(size, rc::gen::inRange(0, values));
  std::vector<std::byte> elements;
  for (const int byte : bytes) elements.push_back(static_cast<std::byte>(byte));
  return Array::copy_of(dtype, shape, elements);
}

RC_GTEST_PROP(ArrayCodec, RandomArraysComeBack, ()) {
  const Array array = random_array();
  const auto bytes = encoded(array);
  Decoder in(bytes, nullptr);
  RC_ASSERT(decode<Array>(in) == array);
  RC_ASSERT(in.remaining() == 0);
}

RC_GTEST_PROP(ArrayCodec, DamagedArraysAreAnErrorOrAnotherArray, ()) {
  auto bytes = encoded(random_array());
  if (*rc::gen::arbitrary<bool>()) {
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
    bytes[at] ^= static_cast<std::byte>(*rc::gen::inRange(1, 256));
  } else {
    bytes.resize(*rc::gen::inRange<std::size_t>(0, bytes.size()));
  }
  try {
    Decoder in(bytes, nullptr);
    const Array array = decode<Array>(in);
    RC_ASSERT(array.bytes().size() <= bytes.size());
  } catch (const Error& error) {
    RC_ASSERT(error.code() == Errc::damaged);
  }
}

TEST(ArrayCodec, AnImpossibleShapeIsAnError) {
  for (const std::uint64_t extent : {std::uint64_t{1} << 61, UINT64_MAX, std::uint64_t{1} << 63}) {
    Encoder out;
    out.number(DType::f64);
    out.number(std::uint64_t{2});
    out.number(extent);
    out.number(std::uint64_t{8});
    out.align(64);
    const auto bytes = out.joined();
    Decoder in(bytes, nullptr);
    EXPECT_THROW(decode<Array>(in), Error);
  }
}

}  // namespace
}  // namespace larder
