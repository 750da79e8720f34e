// Codecs: every value comes back as it went in, large payloads are not copied on either way, the weight
// is what the heap was asked for, and damaged bytes are an Error(damaged) or another value, never more.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <list>
#include <new>
#include <numeric>
#include <variant>

#include "codec/arbitrary.hpp"

#include <larder/codecs.hpp>

namespace {
std::atomic<bool> g_counting{false};
// What operator new was asked for, less what was given back; and the same in the heap's own steps.
std::atomic<std::ptrdiff_t> g_heap_bytes{0};
std::atomic<std::ptrdiff_t> g_heap_block_bytes{0};

void count(std::ptrdiff_t sign, std::size_t bytes) {
  const std::size_t block = std::max<std::size_t>(32, (bytes + 8 + 15) / 16 * 16);
  g_heap_bytes += sign * static_cast<std::ptrdiff_t>(bytes);
  g_heap_block_bytes += sign * static_cast<std::ptrdiff_t>(block);
}
}  // namespace

// The size stands before the block, which stays aligned to 16 bytes.
void* operator new(std::size_t bytes) {
  auto* block = static_cast<std::size_t*>(std::malloc(bytes + 16));
  if (block == nullptr) throw std::bad_alloc();
  *block = bytes;
  if (g_counting) count(+1, bytes);
  return reinterpret_cast<char*>(block) + 16;
}
void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  auto* block = reinterpret_cast<std::size_t*>(static_cast<char*>(pointer) - 16);
  if (g_counting) count(-1, *block);
  std::free(block);
}
void operator delete(void* pointer, std::size_t) noexcept {
  operator delete(pointer);
}

namespace larder {

enum class Color : std::uint8_t { red, green };

struct Plain {
  int a = 0;
  double b = 0;
  bool operator==(const Plain&) const = default;
};

// A user type with members of its own.
struct Model {
  std::string name;
  std::vector<float> weights;
  bool operator==(const Model&) const = default;
};
template <>
struct Codec<Model> {
  static std::string type_name() { return "Model/1"; }
  static void encode(const Model& model, Encoder& out) {
    larder::encode(model.name, out);
    larder::encode(model.weights, out);
  }
  static Model decode(Decoder& in) {
    auto name = larder::decode<std::string>(in);
    return {std::move(name), larder::decode<std::vector<float>>(in)};
  }
};

// Trivially copyable, yet with a codec of its own.
struct Celsius {
  double degrees = 0;
  bool operator==(const Celsius&) const = default;
};
template <>
struct Codec<Celsius> {
  static std::string type_name() { return "Celsius"; }
  static void encode(const Celsius& t, Encoder& out) { out.number(static_cast<std::int64_t>(t.degrees)); }
  static Celsius decode(Decoder& in) { return {static_cast<double>(in.number<std::int64_t>())}; }
};

// Encodes to nothing at all.
struct Unit {
  bool operator==(const Unit&) const = default;
};
template <>
struct Codec<Unit> {
  static std::string type_name() { return "Unit"; }
  static void encode(const Unit&, Encoder&) {}
  static Unit decode(Decoder&) { return {}; }
};

namespace {

// Bytes as the store hands them out: aligned, and kept alive by an owner.
struct Stored {
  explicit Stored(std::span<const std::byte> source, std::size_t shift = 0)
      : memory(static_cast<std::byte*>(std::aligned_alloc(4096, (source.size() + shift + 8191) / 4096 * 4096)),
               &std::free),
        bytes(memory.get() + shift, source.size()) {
    std::ranges::copy(source, memory.get() + shift);
  }
  std::shared_ptr<std::byte> memory;
  std::span<const std::byte> bytes;
};

template <Storable T>
std::vector<std::byte> encoded(const T& value) {
  Encoder out;
  encode(value, out);
  EXPECT_EQ(out.joined().size(), out.size());
  return out.joined();
}

template <Storable T>
detail::Value decoded(const std::vector<std::byte>& bytes, const Stored& stored) {
  EXPECT_EQ(bytes.size(), stored.bytes.size());
  return detail::k_type<T>.decode(stored.bytes, stored.memory);
}

template <Storable T>
T round_trip(const T& value) {
  const auto bytes = encoded(value);
  const Stored stored(bytes);
  return *std::static_pointer_cast<const T>(decoded<T>(bytes, stored));
}

TEST(Codec, TypeNamesSayWhatTheBytesMean) {
  EXPECT_EQ(Codec<int>::type_name(), "i32");
  EXPECT_EQ(Codec<long>::type_name(), "i64");
  EXPECT_EQ(Codec<long long>::type_name(), "i64");
  EXPECT_EQ(Codec<std::complex<float>>::type_name(), "c64");
  EXPECT_EQ(Codec<std::vector<double>>::type_name(), "f64[]");
  EXPECT_EQ(Codec<std::span<const double>>::type_name(), "f64[]");
  EXPECT_EQ(Codec<std::vector<std::byte>>::type_name(), "byte[]");
  EXPECT_EQ(Codec<std::string_view>::type_name(), Codec<std::string>::type_name());
  EXPECT_EQ(Codec<std::vector<bool>>::type_name(), "bool[]");
  EXPECT_EQ((Codec<std::map<std::string, std::vector<std::array<float, 3>>>>::type_name()), "map<text,f32[3][]>");
  EXPECT_EQ((Codec<std::unordered_map<int, int>>::type_name()), (Codec<std::map<int, int>>::type_name()));
  EXPECT_EQ((Codec<std::pair<int, Array>>::type_name()), (Codec<std::tuple<int, Array>>::type_name()));
  EXPECT_NE(Codec<Plain>::type_name(), Codec<Color>::type_name());
  EXPECT_EQ(Codec<std::vector<Celsius>>::type_name(), "Celsius[]");
}

TEST(Codec, TypeNamesFitIntoARecordAndStayDistinct) {
  using Deep = std::tuple<Plain, Plain, Plain, Plain, Plain, Plain, Plain, Plain, Plain, Plain, Plain, Plain, Plain,
                          Plain, Plain>;
  EXPECT_GT(Codec<Deep>::type_name().size(), 255u);
  const auto& one = detail::k_type<std::pair<Deep, int>>;
  const auto& other = detail::k_type<std::pair<Deep, long>>;
  EXPECT_EQ(one.name().size(), 255u);
  EXPECT_EQ(other.name().size(), 255u);
  EXPECT_NE(one.name(), other.name());
}

TEST(Codec, PointersReferencesAndForeignRangesAreNotStorable) {
  static_assert(!Storable<int*>);
  static_assert(!Storable<const char*>);
  static_assert(!Storable<int Plain::*>);
  static_assert(!Storable<std::nullptr_t>);
  static_assert(!Storable<int[3]>);
  static_assert(!Storable<std::span<int>>);
  static_assert(!Storable<std::span<const std::string>>);
  static_assert(!Storable<std::wstring_view>);
  static_assert(!Storable<std::reference_wrapper<int>>);
  static_assert(!Storable<std::vector<int*>>);
  static_assert(!Storable<std::optional<int*>>);
  static_assert(!Storable<std::pair<int, int*>>);
  static_assert(!Storable<std::array<int*, 2>>);
  static_assert(!Storable<std::unique_ptr<int>>);
  static_assert(!Storable<std::list<int>>);
  static_assert(!Storable<std::vector<int>::iterator>);
  static_assert(!Storable<std::variant<int, int*>>);
  static_assert(!Storable<std::tuple<std::wstring_view>>);
  static_assert(Storable<std::chrono::nanoseconds>);
  static_assert(Storable<Plain> && Storable<Color> && Storable<std::byte> && Storable<std::complex<double>>);
  static_assert(detail::borrows<std::string_view>() && detail::borrows<std::optional<std::span<const int>>>());
  static_assert(!detail::borrows<std::string>() && !detail::borrows<Array>());
}

TEST(Codec, ValuesComeBackAsTheyWentIn) {
  EXPECT_EQ(round_trip(Plain{1, 2.5}), (Plain{1, 2.5}));
  EXPECT_EQ(round_trip(Color::green), Color::green);
  EXPECT_EQ(round_trip(std::vector<Plain>{{1, 2}, {3, 4}}), (std::vector<Plain>{{1, 2}, {3, 4}}));
  EXPECT_EQ(round_trip(Model{"m", {1, 2, 3}}), (Model{"m", {1, 2, 3}}));
  EXPECT_EQ(round_trip(std::vector<Model>{{"m", {1}}, {"", {}}}), (std::vector<Model>{{"m", {1}}, {"", {}}}));
  EXPECT_EQ(round_trip(std::vector<Celsius>{{20}, {-3}}), (std::vector<Celsius>{{20}, {-3}}));
  EXPECT_EQ(encoded(std::vector<Celsius>{{20}})[8], std::byte{20}) << "its own codec, not its bytes";
  EXPECT_EQ(round_trip(std::vector<Unit>(5)), std::vector<Unit>(5));
  EXPECT_EQ(round_trip(std::tuple<>()), std::tuple<>());
  EXPECT_EQ(round_trip(std::vector<std::tuple<>>(3)), std::vector<std::tuple<>>(3));
  EXPECT_EQ(round_trip(std::map<int, Unit>{{1, {}}, {2, {}}}), (std::map<int, Unit>{{1, {}}, {2, {}}}));
  EXPECT_EQ(round_trip(std::array<int, 0>()), (std::array<int, 0>()));
  EXPECT_EQ(round_trip(std::array<std::string, 2>{"a", "b"}), (std::array<std::string, 2>{"a", "b"}));
  EXPECT_EQ(round_trip(std::optional<std::string>()), std::nullopt);
  EXPECT_EQ(round_trip(std::string()), "");
  EXPECT_EQ(round_trip(std::vector<double>()), std::vector<double>());
  const std::vector<std::array<bool, 2>> flags = {{true, false}};
  EXPECT_EQ(round_trip(flags), flags);
}

// Of moderate size: containers of containers grow with its square.
template <class T>
T random_value() {
  return *rc::gen::resize(12, rc::gen::arbitrary<T>());
}

template <class T>
class CodecRoundTrip : public testing::Test {};
using Types = testing::Types<bool, std::uint64_t, double, std::string, std::vector<bool>, std::vector<double>,
                             std::vector<std::string>, std::tuple<int, std::string, std::vector<float>>,
                             std::array<std::uint32_t, 3>, std::set<std::string>, std::unordered_map<int, std::string>,
                             std::map<int, std::optional<std::pair<std::vector<double>, std::string>>>>;
TYPED_TEST_SUITE(CodecRoundTrip, Types);

// Calls `use` with the outcome of decoding damaged bytes; anything but Error(damaged) is a failure.
template <Storable T>
void decode_damaged(std::span<const std::byte> bytes) {
  const Stored stored(bytes);
  // A second copy of exactly the right size, so that the sanitizer sees an over-read.
  const auto exact = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
  for (const auto& [view, owner] : {std::pair<Bytes, std::shared_ptr<const void>>(stored.bytes, stored.memory),
                                    std::pair<Bytes, std::shared_ptr<const void>>(*exact, exact)}) {
    try {
      const auto value = std::static_pointer_cast<const T>(detail::k_type<T>.decode(view, owner));
      Encoder out;  // touches all of the value
      encode(*value, out);
      RC_ASSERT(out.joined().size() == out.size());
    } catch (const Error& error) {
      RC_ASSERT(error.code() == Errc::damaged);
    }
  }
}

TYPED_TEST(CodecRoundTrip, ValuesComeBackAndDamagedBytesAreAnErrorOrAnotherValue) {
  rc::detail::checkGTest([] {
    const auto value = random_value<TypeParam>();
    auto bytes = encoded(value);
    // Unless it holds a NaN.
    if (value == value) RC_ASSERT(round_trip(value) == value);  // NOLINT(misc-redundant-expression)

    const Stored cut(Bytes(bytes).first(bytes.size() - 1));
    RC_ASSERT_THROWS_AS(detail::k_type<TypeParam>.decode(cut.bytes, cut.memory), Error);
    decode_damaged<TypeParam>(Bytes(bytes).first(*rc::gen::inRange<std::size_t>(0, bytes.size())));
    bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] ^= static_cast<std::byte>(*rc::gen::inRange(1, 256));
    decode_damaged<TypeParam>(bytes);
    const auto noise = *rc::gen::arbitrary<std::vector<std::uint8_t>>();
    decode_damaged<TypeParam>(std::as_bytes(std::span(noise)));
  });
}

TEST(Codec, AHugeCountIsAnErrorNotAnAllocation) {
  std::vector<std::byte> bytes(64, std::byte{0xff});
  decode_damaged<std::vector<std::string>>(bytes);
  decode_damaged<std::vector<std::array<std::string, 1000>>>(bytes);
  decode_damaged<std::vector<double>>(bytes);
  bytes[7] = std::byte{0x1f};  // a count whose bytes overflow 64 bits
  decode_damaged<std::vector<double>>(bytes);
  decode_damaged<std::map<std::string, int>>(bytes);
}

TEST(Codec, ABoolOfAnotherByteIsAnError) {
  const std::vector<std::byte> two = {std::byte{2}};
  EXPECT_THROW(decoded<bool>(two, Stored(two)), Error);
  auto bytes = encoded(std::vector<bool>{true, false});
  bytes.back() = std::byte{0x80};
  EXPECT_THROW(decoded<std::vector<bool>>(bytes, Stored(bytes)), Error);
  EXPECT_THROW(decoded<std::span<const bool>>(bytes, Stored(bytes)), Error);
  auto mask = encoded(Array::copy_of<bool>(std::array{true, false}, {2}));
  mask.back() = std::byte{3};
  EXPECT_THROW(decoded<Array>(mask, Stored(mask)), Error);
}

TEST(Codec, LargePayloadsAreReferredToNotCopied) {
  const std::vector<double> numbers(1024);
  const std::string text(4096, 'x');
  const Array array = Array::copy_of(numbers);
  const auto value = std::tuple(numbers, text, array);
  Encoder out;
  encode(value, out);
  const auto refers_to = [&](const void* payload) {
    return std::ranges::any_of(out.pieces(), [&](Bytes piece) { return piece.data() == payload; });
  };
  EXPECT_TRUE(refers_to(std::get<0>(value).data()));
  EXPECT_TRUE(refers_to(std::get<1>(value).data()));
  EXPECT_TRUE(refers_to(std::get<2>(value).bytes().data()));
  EXPECT_EQ(round_trip(value), value);
}

TEST(Codec, LargePayloadsStartAtMultiplesOf64AndOfAPageFrom64KiBOn) {
  const auto offset = [](const auto& value, const void* payload) {
    Encoder out;
    encode(value, out);
    std::size_t at = 0;
    for (const Bytes piece : out.pieces()) {
      if (piece.data() == payload) return at;
      at += piece.size();
    }
    return std::size_t{1};
  };
  const std::pair<char, std::vector<float>> small{'x', std::vector<float>(1024)};
  EXPECT_EQ(offset(small, small.second.data()) % 64, 0u);
  const std::pair<char, std::vector<float>> large{'x', std::vector<float>(16 * 1024)};
  EXPECT_EQ(offset(large, large.second.data()) % 4096, 0u);
  const Array array = Array::copy_of(std::vector<float>(16 * 1024));
  EXPECT_EQ(offset(array, array.bytes().data()) % 4096, 0u);
}

TEST(Codec, ViewsPointIntoTheStoredBytesAndKeepThemAlive) {
  std::vector<float> numbers(20'000);
  std::iota(numbers.begin(), numbers.end(), 0.0f);
  const auto bytes = encoded(numbers);
  auto stored = std::make_unique<Stored>(bytes);
  const auto inside = [begin = stored->bytes.data(), end = stored->bytes.data() + stored->bytes.size()](const void* p) {
    return p >= begin && p < end;
  };
  const std::weak_ptr<std::byte> alive = stored->memory;
  auto value = decoded<std::span<const float>>(bytes, *stored);
  stored.reset();
  EXPECT_FALSE(alive.expired());
  const auto& view = *std::static_pointer_cast<const std::span<const float>>(value);
  EXPECT_TRUE(inside(view.data()));
  EXPECT_TRUE(std::ranges::equal(view, numbers));
  value.reset();
  EXPECT_TRUE(alive.expired());
}

TEST(Codec, ACopyingCodecLetsTheStoredBytesGo) {
  const auto bytes = encoded(std::string(100, 'x'));
  auto stored = std::make_unique<Stored>(bytes);
  const std::weak_ptr<std::byte> alive = stored->memory;
  const auto value = decoded<std::string>(bytes, *stored);
  stored.reset();
  EXPECT_TRUE(alive.expired());
}

TEST(Codec, ADecodedArraySharesTheStoredBytes) {
  const Array array = Array::copy_of<double>(std::vector<double>(6, 1.5), {2, 3});
  const auto bytes = encoded(std::vector<Array>{array, array});
  auto stored = std::make_unique<Stored>(bytes);
  const auto* begin = stored->bytes.data();
  const auto* end = begin + bytes.size();
  const auto value = decoded<std::vector<Array>>(bytes, *stored);
  const Array kept = std::static_pointer_cast<const std::vector<Array>>(value)->back();
  const std::weak_ptr<std::byte> alive = stored->memory;
  stored.reset();
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(kept, array);
  EXPECT_TRUE(kept.bytes().data() >= begin && kept.bytes().data() < end);
}

TEST(Codec, MisalignedBytesAreAnErrorForASpanAndACopyForAnArray) {
  const auto numbers = encoded(std::vector<double>{1, 2});
  const Stored shifted(numbers, 1);
  EXPECT_THROW(decoded<std::span<const double>>(numbers, shifted), Error);
  EXPECT_EQ(*std::static_pointer_cast<const std::vector<double>>(decoded<std::vector<double>>(numbers, shifted)),
            (std::vector<double>{1, 2}));
  const Array array = Array::copy_of(std::vector<double>{1, 2});
  const auto bytes = encoded(array);
  EXPECT_EQ(*std::static_pointer_cast<const Array>(decoded<Array>(bytes, Stored(bytes, 1))), array);
}

TEST(Codec, AVectorIsReadAsASpanAndAStringAsAView) {
  const auto text = encoded(std::string("hello"));
  const Stored stored(text);
  EXPECT_EQ(*std::static_pointer_cast<const std::string_view>(decoded<std::string_view>(text, stored)), "hello");
  const auto flags = encoded(std::vector<bool>{true, false, true});
  const Stored stored_flags(flags);
  const auto view = decoded<std::span<const bool>>(flags, stored_flags);
  EXPECT_EQ(std::static_pointer_cast<const std::span<const bool>>(view)->size(), 3u);
}

// The weight of `make()` is what the heap was asked for and the object itself, and little more.
template <class F>
void expect_weight(F make, const char* what) {
  g_heap_bytes = 0;
  g_heap_block_bytes = 0;
  g_counting = true;
  const auto value = make();
  g_counting = false;
  const auto asked = sizeof(value) + static_cast<std::size_t>(g_heap_bytes.load());
  EXPECT_GE(weight(value), asked) << what;
  const auto blocks = sizeof(value) + static_cast<std::size_t>(g_heap_block_bytes.load());
  EXPECT_LE(weight(value), blocks + blocks / 4) << what;
}

TEST(Weight, IsWhatTheHeapWasAskedForAndTheObjectItself) {
  expect_weight([] { return 1; }, "int");
  expect_weight([] { return std::string(); }, "short text");
  expect_weight([] { return std::string(10'000, 'x'); }, "text");
  expect_weight([] { return std::vector<double>(1000); }, "numbers");
  expect_weight([] { return std::vector<bool>(100'000); }, "bools");
  expect_weight([] { return std::vector<std::string>(100, std::string(200, 'x')); }, "texts");
  expect_weight([] { return std::vector<std::vector<std::string>>(10, {10, std::string(50, 'x')}); }, "texts of texts");
  expect_weight([] { return std::optional(std::string(1000, 'x')); }, "optional");
  expect_weight([] { return std::pair(std::string(100, 'x'), std::vector<int>(100)); }, "pair");
  expect_weight([] { return std::tuple(1, std::string(100, 'x'), std::vector<int>(100)); }, "tuple");
  expect_weight([] { return std::array<std::string, 2>{std::string(100, 'x'), std::string(100, 'y')}; }, "array");
  const auto fill = []<class Map>(Map map) {
    for (int i = 0; i < 1000; ++i) map.emplace(i, std::string(40, 'x'));
    return map;
  };
  expect_weight([&] { return fill(std::map<int, std::string>()); }, "map");
  expect_weight([&] { return fill(std::unordered_map<int, std::string>()); }, "unordered map");
  const auto fill_set = [](auto set) {
    for (int i = 0; i < 1000; ++i) set.insert(i);
    return set;
  };
  expect_weight([&] { return fill_set(std::set<int>()); }, "set");
  expect_weight([&] { return fill_set(std::unordered_set<int>()); }, "unordered set");
}

TEST(Weight, OfAnArrayCountsItsElements) {
  EXPECT_GE(weight(Array::copy_of(std::vector<double>(1000))), 8000 + sizeof(Array));
  EXPECT_LE(weight(Array::copy_of(std::vector<double>(1000))), 8200 + sizeof(Array));
}

TEST(Weight, WithoutASayOfTheCodecIsTheEncodedSizeAndTheObject) {
  const Model model{"m", std::vector<float>(100)};
  EXPECT_GE(weight(model), sizeof(Model) + 400);
}

TEST(Encoder, PiecesJoinToWhatWasWritten) {
  const std::string outside(100, 'o');
  Encoder out;
  out.number(std::uint16_t{0x0201});
  out.refer(std::as_bytes(std::span(outside)));
  out.refer({});
  out.copy({});
  out.number(std::uint8_t{3});
  out.align(64);
  EXPECT_EQ(out.size(), 128u);
  EXPECT_EQ(out.pieces().size(), 3u);
  const auto bytes = out.joined();
  ASSERT_EQ(bytes.size(), 128u);
  EXPECT_EQ(bytes[0], std::byte{1});
  EXPECT_EQ(bytes[2], std::byte{'o'});
  EXPECT_EQ(bytes[102], std::byte{3});
  EXPECT_EQ(bytes[127], std::byte{0});
}

TEST(Decoder, PaddingThatIsNotZeroIsDamage) {
  std::vector<std::byte> bytes(64, std::byte{0});
  bytes[10] = std::byte{1};
  Decoder in(bytes, nullptr);
  in.take(1);
  EXPECT_THROW(in.align(64), Error);
  Decoder shorter(Bytes(bytes).first(9), nullptr);
  shorter.take(1);
  EXPECT_THROW(shorter.align(64), Error);
}

}  // namespace
}  // namespace larder
