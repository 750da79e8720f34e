// larder_bench_compression: what compressing saves and takes, by kind of value. A table on standard output.
//
//   larder_bench_compression [FILE]...   beside the kinds that are made here, the files' contents as bytes
//
// Every time is the least of several; one thread.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "codec/compressor.hpp"

namespace bench {
namespace {

using larder::Bytes;
using larder::Compression;
using larder::codec::Content;
using larder::codec::Frame;
using larder::codec::FrameView;
using larder::codec::Method;
using larder::codec::Recipe;

struct Kind {
  std::string name;
  std::size_t number_bytes;
  std::vector<std::byte> bytes;
};

template <class T, class Make>
Kind numbers(const char* name, Make&& make) {
  std::vector<T> values((std::size_t{8} << 20) / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(make(i));
  const auto bytes = std::as_bytes(std::span(values));
  return {name, sizeof(T), {bytes.begin(), bytes.end()}};
}

std::vector<Kind> kinds(int files, char** names) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  double walk = 0;
  std::uint64_t time = 1'700'000'000'000;
  std::vector<Kind> kinds;
  kinds.push_back(numbers<double>("f64 random", [&](std::size_t) { return normal(random); }));
  kinds.push_back(numbers<double>("f64 random walk", [&](std::size_t) { return walk += normal(random); }));
  kinds.push_back(
      numbers<double>("f64 with 2 decimals", [&](std::size_t) { return std::round(normal(random) * 1000) / 100; }));
  kinds.push_back(
      numbers<float>("f32 smooth", [](std::size_t i) { return 100 + std::sin(static_cast<double>(i) / 1000); }));
  kinds.push_back(numbers<std::int32_t>("i32 up to 100,000", [&](std::size_t) { return random() % 100'000; }));
  kinds.push_back(numbers<std::uint64_t>("u64 timestamps", [&](std::size_t) { return time += random() % 1000; }));
  for (int i = 0; i < files; ++i) {
    std::ifstream file(names[i], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = std::as_bytes(std::span(text));
    kinds.push_back({names[i], 1, {bytes.begin(), bytes.end()}});
  }
  return kinds;
}

// MB/s of the fastest of several turns.
template <class Turn>
double speed(std::uint64_t bytes, Turn&& turn) {
  std::chrono::duration<double> best(std::numeric_limits<double>::max());
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    turn();
    best = std::min<std::chrono::duration<double>>(best, std::chrono::steady_clock::now() - start);
  }
  return static_cast<double>(bytes) / best.count() / 1e6;
}

void measure(const Kind& kind, Recipe recipe) {
  const Bytes value(kind.bytes);
  std::optional<Frame> frame;
  const double compressing = speed(value.size(), [&] { frame = make_frame(std::span(&value, 1), recipe); });
  std::vector<std::byte> joined;
  for (const Bytes piece : frame->pieces()) joined.insert(joined.end(), piece.begin(), piece.end());
  std::vector<std::byte> decoded(value.size());
  bool good = true;
  const double decoding =
      speed(value.size(), [&] { good = good && FrameView::open(joined).value().decode(0, decoded); });
  std::printf("  %-4s %-9s %6.1f %% %8.0f MB/s %8.0f MB/s%s\n", recipe.method == Method::lz4 ? "lz4" : "zstd",
              recipe.width > 1 ? "shuffled" : "",
              100 * static_cast<double>(joined.size()) / static_cast<double>(value.size()), compressing, decoding,
              good && decoded == kind.bytes ? "" : "  WRONG");
}

void measure(const Kind& kind) {
  const Bytes value(kind.bytes);
  const Content content{std::span(&value, 1), value.size(), kind.number_bytes, false};
  std::optional<Recipe> chosen;
  const double choosing = speed(1, [&] { chosen = choose_recipe(content, Compression::automatic); });
  std::printf("%s: automatic %s%s, chosen in %.1f ms\n", kind.name.c_str(),
              !chosen                         ? "leaves it"
              : chosen->method == Method::lz4 ? "takes lz4"
                                              : "takes zstd",
              chosen && chosen->width > 1 ? ", shuffled" : "", 1e-3 / choosing);
  for (const Method method : {Method::lz4, Method::zstd}) {
    measure(kind, {method, 1});
    if (kind.number_bytes > 1) measure(kind, {method, kind.number_bytes});
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  std::printf("  method            left over   compressing      decoding\n");
  for (const bench::Kind& kind : bench::kinds(argc - 1, argv + 1)) bench::measure(kind);
}
