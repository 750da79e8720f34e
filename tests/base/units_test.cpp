// Sizes and durations: every accepted text has one value, every text that is not accepted says how to
// write it, and what is formatted for machines parses back to what it came from.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <set>
#include <string>

#include <larder/entry.hpp>
#include <larder/stats.hpp>
#include <larder/units.hpp>

namespace larder {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t k_kib = 1024;
constexpr std::uint64_t k_gib = k_kib * k_kib * k_kib;
constexpr std::uint64_t k_max = std::numeric_limits<std::uint64_t>::max();

std::uint64_t size_of(std::string_view text, std::uint64_t whole = 0) {
  return parse_size(text, whole).value();
}
nanoseconds duration(std::string_view text) {
  return parse_duration(text).value();
}
Error size_error(std::string_view text, std::uint64_t whole = 0) {
  const auto result = parse_size(text, whole);
  if (result) throw std::logic_error("accepted: " + std::string(text));
  return result.error();
}
Error duration_error(std::string_view text) {
  const auto result = parse_duration(text);
  if (result) throw std::logic_error("accepted: " + std::string(text));
  return result.error();
}

TEST(Units, SizesInEveryUnitAndCase) {
  EXPECT_EQ(size_of("0"), 0u);
  EXPECT_EQ(size_of("512"), 512u);
  EXPECT_EQ(size_of("512B"), 512u);
  EXPECT_EQ(size_of("1kB"), 1000u);
  EXPECT_EQ(size_of("1KB"), 1000u);
  EXPECT_EQ(size_of("64KiB"), 64 * k_kib);
  EXPECT_EQ(size_of("64kib"), 64 * k_kib);
  EXPECT_EQ(size_of("1.5MiB"), 1536 * k_kib);
  EXPECT_EQ(size_of("2MB"), 2'000'000u);
  EXPECT_EQ(size_of("2GB"), 2'000'000'000u);
  EXPECT_EQ(size_of("1GiB"), k_gib);
  EXPECT_EQ(size_of("1TB"), 1'000'000'000'000u);
  EXPECT_EQ(size_of("1TiB"), 1024 * k_gib);
  EXPECT_EQ(size_of("1PB"), 1'000'000'000'000'000u);
  EXPECT_EQ(size_of("1pib"), k_kib * k_kib * k_gib);
  EXPECT_EQ(size_of(" \t20GiB\n"), 20 * k_gib);
  EXPECT_EQ(size_of("0.1kB"), 100u);
  EXPECT_EQ(size_of("0.3KiB"), 307u);  // rounded down
}

TEST(Units, PercentagesAreOfTheWhole) {
  EXPECT_EQ(size_of("10%", 1000), 100u);
  EXPECT_EQ(size_of("100%", k_max), k_max);
  EXPECT_EQ(size_of("12.5%", 16 * k_gib), 2 * k_gib);
  EXPECT_NE(size_error("10%").help().find("bytes"), std::string::npos);
  EXPECT_NE(size_error("101%", 1000).help().find("100%"), std::string::npos);
  EXPECT_NE(size_error("100.1%", 1000).help().find("100%"), std::string::npos);
}

TEST(Units, TwoReadingsAreAnErrorThatShowsBoth) {
  for (const char* text : {"2G", "2g", "2 gigs", "2gigabytes", "2 G", "2Gi"}) {
    const Error error = size_error(text);
    EXPECT_EQ(error.code(), Errc::invalid_size) << text;
    EXPECT_EQ(error.what(), '`' + std::string(text) + "` is not a size");
    EXPECT_EQ(error.help(), "write \"2GB\" (2 000 000 000 bytes) or \"2GiB\" (2 147 483 648 bytes)") << text;
  }
  EXPECT_EQ(size_error("1.5").help(), "write \"1.5GB\" (1 500 000 000 bytes) or \"1.5GiB\" (1 610 612 736 bytes)");
  EXPECT_EQ(size_error("512M").help(), "write \"512MB\" (512 000 000 bytes) or \"512MiB\" (536 870 912 bytes)");

  const Error error = duration_error("90");
  EXPECT_EQ(error.code(), Errc::invalid_duration);
  EXPECT_STREQ(error.what(), "`90` is not a duration");
  EXPECT_EQ(error.help(), "write \"90s\" or \"90m\"");
}

TEST(Units, ASpaceInsideASizeIsAnErrorThatShowsTheCure) {
  EXPECT_EQ(size_error("20 GiB").help(), "write \"20GiB\", without a space");
}

TEST(Units, NegativeOverflowingAndTrailingTextsAreErrors) {
  for (const char* text : {"",
                           " ",
                           "-1GB",
                           "-1",
                           "+1",
                           "x",
                           "GiB",
                           "1x",
                           "1GiBx",
                           "1GiB 2",
                           "1e3",
                           "0x10",
                           "1..5GB",
                           "1.",
                           ".5GB",
                           "1.5B",
                           "1.0000000001GB",
                           "inf",
                           "nan",
                           "1,5GB",
                           "18446744073709551616",
                           "16384PiB",
                           "99999999P",
                           "18446744073709551615kB",
                           "99999999999999999999999999999GB",
                           "1 %",
                           "%",
                           "٣GB"}) {
    EXPECT_EQ(size_error(text, 1000).code(), Errc::invalid_size) << text;
    EXPECT_FALSE(size_error(text, 1000).help().empty()) << text;
  }
  EXPECT_EQ(size_of("18446744073709551615"), k_max);
  EXPECT_EQ(size_of("16383PiB"), 16383 * k_kib * k_kib * k_gib);
  const std::string with_nul("1GB\0", 4);
  EXPECT_EQ(size_error(with_nul).code(), Errc::invalid_size);
}

TEST(Units, AnErrorQuotesOnlyTheStartOfALongText) {
  const std::string text(100'000, 'x');
  EXPECT_LT(std::string(size_error(text).what()).size(), 100u);
}

TEST(Units, DurationsInEveryUnit) {
  using namespace std::chrono_literals;
  EXPECT_EQ(duration("90s"), 90s);
  EXPECT_EQ(duration("15m"), 15min);
  EXPECT_EQ(duration("36h"), 36h);
  EXPECT_EQ(duration("1d12h"), 36h);
  EXPECT_EQ(duration("2w"), 14 * 24h);
  EXPECT_EQ(duration("250ms"), 250ms);
  EXPECT_EQ(duration("7us"), 7us);
  EXPECT_EQ(duration("7ns"), 7ns);
  EXPECT_EQ(duration("1w1d1h1m1s1ms1us1ns"), 8 * 24h + 1h + 1min + 1s + 1ms + 1us + 1ns);
  EXPECT_EQ(duration("0"), 0s);
  EXPECT_EQ(duration("0s"), 0s);
  EXPECT_EQ(duration(" never "), k_never);
}

TEST(Units, DurationsAreStrict) {
  for (const char* text : {"",
                           " ",
                           "-1s",
                           "+1s",
                           "s",
                           "1x",
                           "1.5h",
                           "12h1d",
                           "1s1s",
                           "1 s",
                           "1h 2m",
                           "1hour",
                           "1H",
                           "1M",
                           "nevermore",
                           "Never",
                           "15251w",
                           "99999999999999999999s",
                           "9223372036854775807ns",
                           "1s2",
                           "0x1s"}) {
    EXPECT_EQ(duration_error(text).code(), Errc::invalid_duration) << text;
    EXPECT_FALSE(duration_error(text).help().empty()) << text;
  }
  EXPECT_EQ(duration("9223372036854775806ns").count(), k_never.count() - 1);
}

TEST(Units, SizesForPeopleHaveThreeDigits) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(512), "512 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1 KiB");
  EXPECT_EQ(format_size(1500), "1.46 KiB");
  EXPECT_EQ(format_size(3 * k_gib / 2), "1.5 GiB");
  EXPECT_EQ(format_size(20 * k_gib), "20 GiB");
  EXPECT_EQ(format_size(k_gib - 1), "1 GiB");
  EXPECT_EQ(format_size(k_max), "16 EiB");
}

TEST(Units, DurationsForPeopleHaveTwoUnitsAtMost) {
  using namespace std::chrono_literals;
  EXPECT_EQ(format_duration(0s), "0 s");
  EXPECT_EQ(format_duration(41us), "41 us");
  EXPECT_EQ(format_duration(1234ms), "1.23 s");
  EXPECT_EQ(format_duration(999'999ns), "1 ms");
  EXPECT_EQ(format_duration(3min + 32s), "3 min 32 s");
  EXPECT_EQ(format_duration(2h), "2 h");
  EXPECT_EQ(format_duration(75h + 59min), "3 d 3 h");
  EXPECT_EQ(format_duration(-1500ms), "-1.5 s");
  EXPECT_EQ(format_duration(nanoseconds::min()), "-106751 d 23 h");
  EXPECT_EQ(format_duration(k_never), "never");
}

TEST(Units, TextsForMachinesAreShort) {
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(512), "512");
  EXPECT_EQ(size_text(1000), "1kB");
  EXPECT_EQ(size_text(1024), "1KiB");
  EXPECT_EQ(size_text(20 * k_gib), "20GiB");
  EXPECT_EQ(size_text(1536 * k_kib), "1536KiB");
  EXPECT_EQ(duration_text(std::chrono::hours(36)), "1d12h");
  EXPECT_EQ(duration_text(std::chrono::milliseconds(250)), "250ms");
  EXPECT_EQ(duration_text(k_never), "never");
  EXPECT_EQ(duration_text(nanoseconds(0)), "0");
}

RC_GTEST_PROP(Units, SizeTextParsesBack, ()) {
  const auto base = *rc::gen::arbitrary<std::uint64_t>();
  const auto bytes = (base >> *rc::gen::inRange(0, 64)) << *rc::gen::inRange(0, 64);
  RC_ASSERT(size_of(size_text(bytes)) == bytes);
}

RC_GTEST_PROP(Units, DurationTextParsesBack, ()) {
  const auto base = *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(1, 64);
  const nanoseconds value(static_cast<std::int64_t>(base));
  RC_ASSERT(duration(duration_text(value)) == value);
}

RC_GTEST_PROP(Units, AnyTextParsesToSomethingThatRoundTripsOrIsAnError, (const std::string& text)) {
  if (const auto parsed = parse_size(text, k_gib)) RC_ASSERT(size_of(size_text(*parsed)) == *parsed);
  if (const auto parsed = parse_duration(text)) {
    RC_ASSERT(parsed->count() >= 0);
    RC_ASSERT(duration(duration_text(*parsed)) == *parsed);
  }
}

TEST(Units, NumbersOfEveryTypeAreSizesAndNegativeOnesAreErrors) {
  EXPECT_EQ(Size(4U << 20).bytes().value(), 4U << 20);
  EXPECT_EQ(Size(10L << 30).bytes().value(), 10UL << 30);
  EXPECT_EQ(Size(UINT64_MAX).bytes().value(), UINT64_MAX);
  EXPECT_EQ(Size(0).bytes().value(), 0U);
  for (const Size& size : {Size(-1), Size(INT64_MIN)}) EXPECT_FALSE(size.bytes());
}

TEST(Units, DurationsThatAreTooLongForNanosecondsAreNever) {
  using namespace std::chrono;
  EXPECT_EQ(Duration(seconds::max()).nanoseconds().value(), k_never);
  EXPECT_EQ(Duration(years(300)).nanoseconds().value(), k_never);
  EXPECT_EQ(Duration(std::chrono::duration<double>(1e300)).nanoseconds().value(), k_never);
  EXPECT_EQ(Duration(hours(24 * 365 * 200)).nanoseconds().value(), nanoseconds(hours(24 * 365 * 200)));
  EXPECT_LT(Duration(seconds::min()).nanoseconds().value(), nanoseconds(0));
  EXPECT_EQ(Duration(nanoseconds(7)).nanoseconds().value(), nanoseconds(7));
}

TEST(Names, EveryCounterHasItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < k_counters; ++i) names.insert(counter_name(static_cast<Counter>(i)));
  EXPECT_EQ(names.size(), k_counters);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(counter_name(Counter::memory_hit), "memory_hit");
  EXPECT_STREQ(tier_name(Tier::computed), "computed");
}

}  // namespace
}  // namespace larder
