#include "codec/trace.hpp"

#include <zstd.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <numbers>
#include <string>
#include <utility>

namespace larder::codec {

namespace {

constexpr std::uint32_t k_zstd_magic = 0xfd2fb528;

std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

bool is_zstd(Bytes file) {
  std::uint32_t magic = 0;
  if (file.size() < sizeof magic) return false;
  std::memcpy(&magic, file.data(), sizeof magic);
  return magic == k_zstd_magic;
}

Result<std::vector<std::byte>> unzstd(Bytes file) {
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (!stream) throw std::bad_alloc();
  std::vector<std::byte> all;
  ZSTD_inBuffer in{file.data(), file.size(), 0};
  std::size_t left = 1;
  while (in.pos < in.size) {
    const std::size_t had = all.size();
    all.resize(had + ZSTD_DStreamOutSize());
    ZSTD_outBuffer out{all.data() + had, all.size() - had, 0};
    left = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return Error(Errc::damaged, std::string("the trace is not valid zstd: ") + ZSTD_getErrorName(left));
    }
    all.resize(had + out.pos);
  }
  if (left != 0) return Error(Errc::damaged, "the trace's zstd stream ends too early", "get the whole file again");
  return all;
}

double log_normal(std::uint64_t key) {
  constexpr double k_sigma = 2;
  const std::uint64_t h = mix(key);
  const std::uint64_t g = mix(h);
  const double u1 = (static_cast<double>(h >> 11) + 1) / (0x1p53 + 1);
  const double u2 = static_cast<double>(g >> 11) * 0x1p-53;
  const double normal = std::sqrt(-2 * std::log(u1)) * std::cos(2 * std::numbers::pi * u2);
  return static_cast<float>(std::exp(k_sigma * normal));
}

}  // namespace

Result<std::vector<TraceRecord>> decode_trace(Bytes file) {
  std::vector<std::byte> decompressed;
  if (is_zstd(file)) {
    Result<std::vector<std::byte>> all = unzstd(file);
    if (!all) return all.error();
    decompressed = *std::move(all);
    file = decompressed;
  }
  if (file.empty()) return Error(Errc::damaged, "the trace is empty");
  if (file.size() % sizeof(TraceRecord) != 0) {
    return Error(Errc::damaged,
                 "the trace has " + std::to_string(file.size()) + " bytes, which is no multiple of the 16 of a request",
                 "docs/reference/trace-format.md says what a trace is");
  }
  std::vector<TraceRecord> requests(file.size() / sizeof(TraceRecord));
  std::memcpy(requests.data(), file.data(), file.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].size != 0) continue;
    return Error(Errc::damaged, "request " + std::to_string(i) + " of the trace has size 0",
                 "a size is at least 1, also where sizes are not known");
  }
  return requests;
}

double cost_of(const TraceRecord& request, CostModel model) {
  switch (model) {
    case CostModel::native:
      return request.cost_us;
    case CostModel::proportional:
      return request.size;
    case CostModel::log_normal:
      return log_normal(request.key);
    case CostModel::unit:
      break;
  }
  return 1;
}

std::uint64_t fingerprint_of(const TraceRecord& request) noexcept {
  return mix(request.key);
}

}  // namespace larder::codec
