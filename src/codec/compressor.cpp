#include "codec/compressor.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "codec/shuffle.hpp"

namespace larder::codec {

namespace {

constexpr std::uint64_t k_bytes_min = 1024;
constexpr std::uint64_t k_view_bytes_min = 16 * 1024;  // what is smaller is copied out of the store anyway
constexpr std::uint64_t k_view_bytes_max = std::uint64_t{64} << 20;

constexpr std::uint64_t k_samples_max = 8;
constexpr std::uint64_t k_sample_bytes = 16 * 1024;
constexpr std::uint64_t k_sample_align = 16;  // of every number: samples are shuffled as the value is

using Sample = std::vector<std::byte>;

Sample sample_at(std::span<const Bytes> pieces, std::uint64_t offset, std::uint64_t length) {
  Sample sample;
  sample.reserve(length);
  for (const Bytes piece : pieces) {
    const std::uint64_t skipped = std::min<std::uint64_t>(offset, piece.size());
    const Bytes part = piece.subspan(skipped, std::min<std::uint64_t>(length - sample.size(), piece.size() - skipped));
    sample.insert(sample.end(), part.begin(), part.end());
    offset -= skipped;
  }
  return sample;
}

// Spread from the value's first bytes to its last ones; all of the value if it is small.
std::vector<Sample> samples_of(const Content& content) {
  const std::uint64_t length = std::min(content.bytes, k_sample_bytes);
  const std::uint64_t count = std::clamp<std::uint64_t>(content.bytes / k_sample_bytes, 1, k_samples_max);
  const std::uint64_t step = count == 1 ? 0 : (content.bytes - length) / (count - 1) / k_sample_align * k_sample_align;
  std::vector<Sample> samples;
  for (std::uint64_t i = 0; i < count; ++i) samples.push_back(sample_at(content.pieces, i * step, length));
  return samples;
}

struct Estimate {
  Recipe recipe;
  std::uint64_t bytes = 0;  // of all samples, compressed
};

std::uint64_t compressed_bytes(std::span<const Sample> samples, Recipe recipe) {
  std::uint64_t bytes = 0;
  for (const Sample& sample : samples) {
    Sample shuffled(sample.size());
    shuffle(sample, recipe.width, shuffled);
    Sample output(sample.size());
    bytes += compress(recipe.method, shuffled, output).value_or(sample.size());
  }
  return bytes;
}

Estimate with_or_without_shuffle(std::span<const Sample> samples, Method method, std::size_t width) {
  const Recipe plain{method, 1};
  const Estimate without{plain, compressed_bytes(samples, plain)};
  if (width == 1) return without;
  const Recipe shuffled{method, width};
  const Estimate with{shuffled, compressed_bytes(samples, shuffled)};
  return with.bytes < without.bytes ? with : without;
}

// The most bytes that compressing may leave of `bytes`, to be worth it.
std::uint64_t worthwhile(std::uint64_t bytes, const Content& content, Compression compression) {
  if (compression != Compression::automatic) return bytes - bytes / 8;
  return content.is_view && content.bytes > k_view_bytes_min ? bytes / 2 : bytes - bytes / 4;
}

}  // namespace

std::optional<Recipe> choose_recipe(const Content& content, Compression compression) {
  if (compression == Compression::none || content.bytes == 0) return std::nullopt;
  const bool automatic = compression == Compression::automatic;
  if (automatic && (content.bytes < k_bytes_min || (content.is_view && content.bytes >= k_view_bytes_max))) {
    return std::nullopt;
  }
  const std::vector<Sample> samples = samples_of(content);
  const auto measured = [&](Method method) { return with_or_without_shuffle(samples, method, content.number_bytes); };
  if (!automatic) return measured(compression == Compression::lz4 ? Method::lz4 : Method::zstd).recipe;

  std::uint64_t sampled = 0;
  for (const Sample& sample : samples) sampled += sample.size();
  const Estimate lz4 = measured(Method::lz4);
  const Estimate zstd = measured(Method::zstd);
  const Estimate& best = zstd.bytes + sampled / 10 <= lz4.bytes ? zstd : lz4;
  return best.bytes <= worthwhile(sampled, content, compression) ? std::optional(best.recipe) : std::nullopt;
}

std::optional<Frame> compress(const Content& content, Compression compression) {
  const std::optional<Recipe> recipe = choose_recipe(content, compression);
  if (!recipe) return std::nullopt;
  Frame frame = make_frame(content.pieces, *recipe);
  return frame.size() <= worthwhile(content.bytes, content, compression) ? std::optional(std::move(frame))
                                                                         : std::nullopt;
}

}  // namespace larder::codec
