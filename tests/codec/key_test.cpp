// Keys: different arguments never share an encoding, equal ones always do, the bytes never change
// (golden vectors), and bytes that are not exactly a key are refused however they are damaged.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <complex>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "codec/arbitrary.hpp"

#include <larder/key.hpp>

namespace larder {

enum class Window : int { hann = 1, blackman = 2 };

struct Point {
  int x, y;
};
template <>
struct KeyCodec<Point> {
  static void encode(KeyEncoder& out, const Point& point) {
    out.tuple(2);
    encode_key(out, point.x);
    encode_key(out, point.y);
  }
};

struct Opaque {};

namespace {

using namespace std::string_literals;

std::string bytes_of(const Key& key) {
  return {reinterpret_cast<const char*>(key.canonical().data()), key.canonical().size()};
}
Result<Key> from_bytes(std::string_view bytes) {
  return Key::from_canonical(std::as_bytes(std::span(bytes)));
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr std::string_view k_digits = "0123456789abcdef";
    text += k_digits[static_cast<unsigned char>(c) >> 4];
    text += k_digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

// All arguments of a key are distinct unless the test says otherwise.
void expect_all_distinct(const std::vector<Key>& keys) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < keys.size(); ++j) {
      EXPECT_EQ(keys[i] == keys[j], i == j) << keys[i].text() << " and " << keys[j].text();
      EXPECT_EQ(keys[i].fingerprint() == keys[j].fingerprint(), i == j);
    }
  }
}

TEST(Key, BoundariesBetweenArgumentsCount) {
  expect_all_distinct({Key("f", 1, 23), Key("f", 12, 3), Key("f", 123), Key("f", "ab", "c"), Key("f", "a", "bc"),
                       Key("f", "abc"), Key("f", "a:b", "c"), Key("f", "a", "b:c"), Key("f"), Key("f", ""),
                       Key("f", "", ""), Key("fa", "b"), Key("f", "ab"), Key("")});
}

TEST(Key, TypesCount) {
  const std::vector<std::byte> one = {std::byte{'1'}};
  expect_all_distinct({Key("f", 1), Key("f", "1"), Key("f", one), Key("f", 1.0), Key("f", true),
                       Key("f", std::complex(1.0, 0.0)), Key("f", std::vector<int>{1}), Key("f", std::tuple(1)),
                       Key("f", std::set<int>{1}), Key("f", std::vector<std::string>{"1"}), Key("f", "True"),
                       Key("f", std::map<int, int>{{1, 1}}), Key("f", Digest{1, 0})});
  expect_all_distinct({Key("f", std::optional<int>()), Key("f", "none"), Key("f", "None"), Key("f", 0), Key("f", false),
                       Key("f", ""), Key("f", std::tuple<>()), Key("f", std::vector<std::string>()),
                       Key("f", std::set<int>()), Key("f", std::map<int, int>()), Key("f", std::vector<std::byte>()),
                       Key("f", 0.0), Key("f", -0.0), Key("f", std::vector<int>())});
}

TEST(Key, VersionsAndNamesCount) {
  expect_all_distinct({Key("f", 1), Key("f", Version{1}, 1), Key("f", Version{2}, 1), Key("g", 1), Key("f", 1, 1)});
}

TEST(Key, EqualValuesEncodeEquallyWhateverTheirType) {
  const Key one("f", 1);
  EXPECT_EQ(one, Key("f", 1L));
  EXPECT_EQ(one, Key("f", static_cast<signed char>(1)));
  EXPECT_EQ(one, Key("f", 1ULL));
  EXPECT_EQ(one, Key("f", std::optional<short>(1)));
  EXPECT_EQ(one, Key("f", Window::hann));
  EXPECT_EQ(Key("f", -1), Key("f", static_cast<std::int64_t>(-1)));
  EXPECT_NE(Key("f", -1), Key("f", std::numeric_limits<std::uint64_t>::max()));

  const std::string text = "hann";
  EXPECT_EQ(Key("f", "hann"), Key("f", text));
  EXPECT_EQ(Key("f", "hann"), Key("f", std::string_view(text)));
  EXPECT_EQ(Key("f", "hann"), Key("f", text.c_str()));
  EXPECT_EQ(Key("f", "h"), Key("f", 'h'));
  const char buffer[16] = "hann";
  EXPECT_EQ(Key("f", "hann"), Key("f", buffer));
  const char unterminated[4] = {'h', 'a', 'n', 'n'};
  EXPECT_EQ(Key("f", "hann"), Key("f", unterminated));

  EXPECT_EQ(Key("f", 0.5f), Key("f", 0.5));
  EXPECT_EQ(Key("f", std::nan("1")), Key("f", -std::numeric_limits<float>::quiet_NaN()));
  EXPECT_EQ(Key("f", std::pair(1, "x")), Key("f", std::tuple(1L, "x"s)));
  const std::vector<double> numbers = {1, 2, 3};
  EXPECT_EQ(Key("f", numbers), Key("f", std::span<const double>(numbers)));
  EXPECT_EQ(Key("f", numbers), Key("f", std::array{1.0, 2.0, 3.0}));
  EXPECT_EQ(Key("f", numbers), Key("f", Array::copy_of(numbers)));
  EXPECT_EQ(Key("f", std::vector<bool>{true, false}), Key("f", std::array{true, false}));
}

TEST(Key, TheOrderOfSetsAndMapsDoesNotCount) {
  const std::vector<std::string> groups = {"north", "south", "east", "west"};
  const Key sorted("f", std::set<std::string>(groups.begin(), groups.end()));
  std::unordered_set<std::string> shuffled(1);
  for (const auto& group : groups) shuffled.insert(group);
  EXPECT_EQ(sorted, Key("f", shuffled));
  EXPECT_EQ(sorted, Key("f", std::set<std::string, std::greater<>>(groups.begin(), groups.end())));
  const std::map<std::string, int> map = {{"a", 1}, {"bb", 2}, {"c", 3}};
  EXPECT_EQ(Key("f", map), Key("f", std::unordered_map<std::string, int>(map.begin(), map.end())));
  EXPECT_NE(Key("f", map), Key("f", std::map<std::string, int>{{"a", 2}, {"bb", 1}, {"c", 3}}));
}

TEST(Key, DtypeShapeAndEveryElementOfAnArrayCount) {
  const std::vector<std::int32_t> zeros(2);
  expect_all_distinct({Key("f", zeros), Key("f", std::vector<double>(1)), Key("f", std::vector<std::int64_t>(1)),
                       Key("f", Array::copy_of<double>(std::vector<double>(1), {1, 1})),
                       Key("f", Array::copy_of<double>(std::vector<double>(1), {}))});
  std::vector<double> large(100'000, 1.0);
  const Key before("f", std::map<std::string, std::vector<double>>{{"data", large}});
  large[50'000] = std::nextafter(1.0, 2.0);
  const Key after("f", std::map<std::string, std::vector<double>>{{"data", large}});
  EXPECT_NE(before, after);
  EXPECT_LT(before.canonical().size(), 64u);
}

TEST(Key, LongTextsEnterByLengthAndDigest) {
  const std::string limit(4096, 'x');
  EXPECT_GT(Key("f", limit).canonical().size(), limit.size());
  EXPECT_LT(Key("f", limit + 'x').canonical().size(), 64u);
  EXPECT_NE(Key("f", limit + 'x'), Key("f", limit + 'y'));
  EXPECT_NE(Key("f", limit), Key("f", limit + 'x'));
  const auto raw = std::as_bytes(std::span(limit));
  EXPECT_NE(Key("f", limit), Key("f", raw));
}

TEST(Key, AUserTypeJoinsByItsCodec) {
  EXPECT_EQ(Key("f", Point{1, 2}), Key("f", std::pair(1, 2)));
  EXPECT_EQ(Key("f", std::vector<Point>{{1, 2}}), Key("f", std::vector<std::pair<int, int>>{{1, 2}}));
}

TEST(Key, TypesWithoutEncodingAreNoArguments) {
  static_assert(!KeyArgument<Opaque>);
  static_assert(!KeyArgument<int*>);
  static_assert(!KeyArgument<void*>);
  static_assert(!KeyArgument<long double>);
  static_assert(!KeyArgument<wchar_t>);
  static_assert(!KeyArgument<std::vector<Opaque>>);
  static_assert(!KeyArgument<std::optional<int*>>);
  static_assert(!std::is_constructible_v<Key, const char*, Opaque>);
  static_assert(!std::is_constructible_v<Key, const char*, int*>);
  static_assert(!std::is_constructible_v<Key, const char*, Version, Opaque>);
  static_assert(std::is_constructible_v<Key, const char*, Version, int, std::string>);
  static_assert(std::is_convertible_v<const char*, Key>);
  static_assert(std::is_convertible_v<std::string, Key>);
  static_assert(std::is_nothrow_move_constructible_v<Key>);
}

TEST(Key, CopiesAndMovesKeepShortAndLongKeys) {
  for (const Key& key : {Key("short"), Key("f", std::string(1000, 'x'))}) {
    const std::string bytes = bytes_of(key);
    Key copy = key;
    EXPECT_EQ(copy, key);
    Key moved = std::move(copy);
    EXPECT_EQ(bytes_of(moved), bytes);
    Key assigned("other", std::string(500, 'y'));
    assigned = moved;
    EXPECT_EQ(bytes_of(assigned), bytes);
    assigned = Key("third");
    EXPECT_EQ(assigned, Key("third"));
    assigned = std::move(moved);
    EXPECT_EQ(bytes_of(assigned), bytes);
    auto& self = assigned;
    assigned = self;
    EXPECT_EQ(bytes_of(assigned), bytes);
  }
}

TEST(Key, AKeyBeyondTheLimitIsAnErrorThatSaysWhatToDo) {
  const std::vector<std::string> texts(20, std::string(4000, 'x'));
  try {
    static_cast<void>(Key("f", texts));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::key_too_long);
    EXPECT_NE(error.help().find("digest"), std::string::npos);
  }
  EXPECT_NO_THROW(Key("f", std::vector<std::string>(16, std::string(4000, 'x'))));
}

TEST(Key, TextIsForPeople) {
  EXPECT_EQ(Key("f").text(), "f");
  EXPECT_EQ(Key("f", Version{3}, 4096, "hann", true, -1, 2.0, 0.1).text(), "f@3(4096, \"hann\", true, -1, 2.0, 0.1)");
  EXPECT_EQ(Key("f", std::optional<int>(), std::tuple(1, "a"), std::vector<std::string>{"x"}).text(),
            "f(none, (1, \"a\"), [\"x\"])");
  EXPECT_EQ(Key("f", std::set{2, 1}, std::map<std::string, int>{{"a", 1}}, std::complex(1.0, -2.0)).text(),
            "f({1, 2}, map{\"a\": 1}, complex(1.0, -2.0))");
  const std::string array = Key("f", Array::copy_of<float>(std::vector<float>(6), {2, 3})).text();
  EXPECT_EQ(array.substr(0, 11), "f(f32[2,3]:");
  EXPECT_EQ(Key("f", std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<std::int64_t>::min()).text(),
            "f(18446744073709551615, -9223372036854775808)");
  EXPECT_EQ(Key("f", "a\"b\\\n\x1b[31m\xff"s, "naïve").text(), "f(\"a\\\"b\\\\\\x0a\\x1b[31m\\xff\", \"naïve\")");
  EXPECT_LT(Key("f", std::string(4000, 'x')).text().size(), 100u);
  EXPECT_LT(Key("f", std::vector<std::string>(1000, "x")).text().size(), 200u);
  EXPECT_EQ(Key("spec trum", 1).name(), "spec trum");
  const Key key("spectrum", 1);
  EXPECT_EQ(key.short_text(), "spectrum#" + key.fingerprint().hex().substr(0, 8));
}

// --- golden vectors ---

struct Golden {
  std::string expression;
  Key key;
};
#define GOLDEN(...)           \
  Golden {                    \
#__VA_ARGS__, __VA_ARGS__ \
  }

std::vector<Golden> golden() {
  return {
      GOLDEN(Key("f")),
      GOLDEN(Key("f", Version{300})),
      GOLDEN(Key("f", 0)),
      GOLDEN(Key("f", 1)),
      GOLDEN(Key("f", -1)),
      GOLDEN(Key("f", 127)),
      GOLDEN(Key("f", 128)),
      GOLDEN(Key("f", -128)),
      GOLDEN(Key("f", -129)),
      GOLDEN(Key("f", UINT64_MAX)),
      GOLDEN(Key("f", INT64_MIN)),
      GOLDEN(Key("f", true)),
      GOLDEN(Key("f", false)),
      GOLDEN(Key("f", 1.0)),
      GOLDEN(Key("f", -0.0)),
      GOLDEN(Key("f", std::nan(""))),
      GOLDEN(Key("f", std::complex(1.0, -2.0))),
      GOLDEN(Key("f", "1")),
      GOLDEN(Key("f", "")),
      GOLDEN(Key("f", std::string(4097, 'x'))),
      GOLDEN(Key("f", std::vector<std::byte>(2))),
      GOLDEN(Key("f", std::optional<int>())),
      GOLDEN(Key("f", std::vector<std::string>{"b", "a"})),
      GOLDEN(Key("f", std::tuple(1, "a"))),
      GOLDEN(Key("f", std::set<int>{256, 1})),
      GOLDEN(Key("f", std::map<std::string, int>{{"bb", 1}, {"c", 2}})),
      GOLDEN(Key("f", std::vector<double>{1, 2})),
      GOLDEN(Key("f", Array::copy_of<std::int32_t>(std::vector<std::int32_t>(6), {2, 3}))),
      GOLDEN(Key("f", Digest{1, 2})),
      GOLDEN(Key("spectrum", Version{3}, std::vector<float>(4), 4096, "hann")),
  };
}

using Row = std::tuple<std::string, std::string, std::string>;

std::vector<Row> rows_of_code() {
  std::vector<Row> rows;
  for (const Golden& g : golden()) rows.emplace_back(g.expression, hex(bytes_of(g.key)), g.key.fingerprint().hex());
  return rows;
}

// Lines `| cell | cell | cell |` with backticks around the cells, as in a Markdown table.
std::vector<Row> rows_of_file(const std::string& path) {
  std::ifstream file(std::string(LARDER_SOURCE_DIR) + '/' + path);
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `Key(")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = line.find('`'); at != std::string::npos; at = line.find('`', at)) {
      const std::size_t end = line.find('`', at + 1);
      if (end == std::string::npos) break;
      cells.push_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    if (cells.size() == 3) rows.emplace_back(cells[0], cells[1], cells[2]);
  }
  return rows;
}

std::string as_table(const std::vector<Row>& rows) {
  std::ostringstream out;
  for (const auto& [expression, bytes, fingerprint] : rows) {
    out << "| `" << expression << "` | `" << bytes << "` | `" << fingerprint << "` |\n";
  }
  return out.str();
}

TEST(KeyGolden, TheBytesAreThoseOfTheCheckedInFile) {
  EXPECT_EQ(as_table(rows_of_code()), as_table(rows_of_file("tests/codec/key_golden.txt")));
}

TEST(KeyGolden, TheBytesAreThoseOfTheReferencePage) {
  EXPECT_EQ(as_table(rows_of_code()), as_table(rows_of_file("docs/reference/key-encoding.md")));
}

TEST(KeyGolden, EveryGoldenKeyIsReadBack) {
  for (const Golden& g : golden()) {
    const auto read = Key::from_canonical(g.key.canonical());
    ASSERT_TRUE(read) << g.expression;
    EXPECT_EQ(*read, g.key);
    EXPECT_EQ(read->fingerprint(), digest(g.key.canonical()));
  }
}

// --- hostile bytes ---

TEST(KeyFromBytes, OnlyTheCanonicalSpellingIsAKey) {
  const std::string head =
      "\x01\x01"
      "f" +
      "\0\x01"s;  // format, name, version 0, one argument
  ASSERT_TRUE(from_bytes(head + "i\x01\x05"));
  const std::vector<std::string> refused = {
      "",
      "\x01",
      "\x02\x01"
      "f\0\0"s,  // another format
      "\x01\x02"
      "f\0\0"s,            // the name is longer than the bytes
      "\x01\x81\0f\0\0"s,  // the name's length is not in its shortest form
      "\x01\x01"
      "f\x80\x80\x80\x80\x10\0"s,  // the version is beyond 32 bits
      "\x01\x01"
      "f\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,  // more arguments than bytes
      "\x01\x01"
      "f\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,  // more than 64 bits
      head,                                            // the argument is missing
      head + "i\x01\x05n",                             // bytes are left over
      head + "x",                                      // an unknown tag
      head + "i\0"s,                                   // an integer without bytes
      head + "i\x02\x05\0"s,                           // an integer with a byte too many
      head + "i\x02\xff\xff",
      head + "i\x7f\x01",  // longer than the bytes
      head + "r\0\0\0"s,
      head + "r\x01\0\0\0\0\0\xf8\x7f"s,  // another NaN
      head + "c\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\xf8\xff"s,
      head +
          "s\x02"
          "a",
      head + "S\x05" + std::string(16, '\0'),       // short enough to stand in full
      head + "s\x81\x20" + std::string(4097, 'x'),  // too long to stand in full
      head + "a\0\0"s + std::string(16, '\0'),      // no dtype
      head + "a\x0e\0"s + std::string(16, '\0'),
      head + "a\x0b\x01" + std::string(16, '\0'),  // the digest is short
      head + "d" + std::string(15, '\0'),
      head + "l\x02n",
      head + "l\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
      head + "m\x01n",
      head + "m\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01nn",
      head + "e\x02i\x01\x02i\x01\x01",    // a set out of order
      head + "m\x02i\x01\x02ni\x01\x01n",  // a map out of order
      head +
          "l\x01"
          "e\x02Tn"
          "n",  // trailing value after a list
  };
  for (const std::string& bytes : refused) {
    const auto key = from_bytes(bytes);
    ASSERT_FALSE(key) << hex(bytes);
    EXPECT_EQ(key.error().code(), Errc::damaged);
  }
  EXPECT_TRUE(from_bytes(head + "e\x02i\x01\x01i\x01\x02"));
  EXPECT_TRUE(from_bytes(head + "m\x02i\x01\x01ni\x01\x02n"));
  EXPECT_TRUE(from_bytes(head + "l\x02"
                                "e\x02"
                                "Tn"
                                "e\0"s));
  EXPECT_TRUE(from_bytes(head + "i\x0a" + std::string(9, '\xff') + "\x7f")) << "integers of any length, for Python";
}

TEST(KeyFromBytes, NestingAsDeepAsTheBytesAreLongIsReadWithoutRecursion) {
  std::string bytes =
      "\x01\x01"
      "f" +
      "\0\x01"s;
  while (bytes.size() + 3 < k_key_bytes_max) bytes += "l\x01";
  bytes += "n";
  const auto key = from_bytes(bytes);
  ASSERT_TRUE(key);
  EXPECT_LT(key->text().size(), 100u);
  bytes.pop_back();
  EXPECT_FALSE(from_bytes(bytes));
  EXPECT_FALSE(from_bytes(std::string(k_key_bytes_max + 1, '\x01')));
}

using Nested = std::map<std::string, std::vector<std::optional<std::tuple<int, std::string, double>>>>;

// Small members: their product must stay below the limit of a key.
template <class T>
T small() {
  return *rc::gen::resize(8, rc::gen::arbitrary<T>());
}

Key random_key() {
  return Key(small<std::string>(), Version{*rc::gen::arbitrary<std::uint32_t>()}, *rc::gen::arbitrary<std::int64_t>(),
             small<std::string>(), small<Nested>(), small<std::set<std::string>>(), small<std::vector<float>>(),
             small<bool>());
}

RC_GTEST_PROP(KeyProperties, AKeyIsReadBackFromItsBytes, ()) {
  const Key key = random_key();
  const auto read = Key::from_canonical(key.canonical());
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == key);
  RC_ASSERT(read->text() == key.text());
}

RC_GTEST_PROP(KeyProperties, ATruncatedKeyIsRefused, ()) {
  const std::string bytes = bytes_of(random_key());
  const auto length = *rc::gen::inRange<std::size_t>(0, bytes.size());
  const std::unique_ptr<char[]> exact(new char[length]);  // so that the sanitizer sees an over-read
  std::copy_n(bytes.data(), length, exact.get());
  RC_ASSERT(!from_bytes({exact.get(), length}).has_value());
}

RC_GTEST_PROP(KeyProperties, AFlippedBitGivesAnotherKeyOrNone, ()) {
  const Key key = random_key();
  std::string bytes = bytes_of(key);
  const auto bit = *rc::gen::inRange<std::size_t>(0, bytes.size() * 8);
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  if (const auto read = from_bytes(bytes)) {
    RC_ASSERT(!(*read == key));
    RC_ASSERT(bytes_of(*read) == bytes);
    RC_ASSERT(!read->text().empty() || read->name().empty());
  }
}

RC_GTEST_PROP(KeyProperties, ArbitraryBytesNeverCrash, (const std::string& tail)) {
  const std::string bytes =
      "\x01\x01"
      "f" +
      "\0\x02"s + tail;
  if (const auto read = from_bytes(bytes)) RC_ASSERT(bytes_of(*read) == bytes);
}

using Arguments = std::tuple<std::vector<std::int16_t>, std::string, std::string, std::int64_t, std::optional<bool>,
                             std::set<std::uint8_t>, std::map<std::string, std::string>>;

RC_GTEST_PROP(KeyProperties, KeysAreEqualIfAndOnlyIfArgumentsAre, ()) {
  const auto a = small<Arguments>();
  // Arguments that differ in one member only are the hard case.
  auto b = a;
  const auto other = small<Arguments>();
  switch (*rc::gen::inRange(0, 8)) {
    case 0:
      std::get<0>(b) = std::get<0>(other);
      break;
    case 1:
      std::get<1>(b) = std::get<1>(other);
      break;
    case 2:
      std::swap(std::get<1>(b), std::get<2>(b));
      break;
    case 3:
      std::get<3>(b) = std::get<3>(other);
      break;
    case 4:
      std::get<4>(b) = std::get<4>(other);
      break;
    case 5:
      std::get<5>(b) = std::get<5>(other);
      break;
    case 6:
      std::get<6>(b) = std::get<6>(other);
      break;
    default:
      break;
  }
  const auto key_of = [](const auto&... arguments) { return Key("f", arguments...); };
  RC_ASSERT((std::apply(key_of, a) == std::apply(key_of, b)) == (a == b));
}

}  // namespace
}  // namespace larder
