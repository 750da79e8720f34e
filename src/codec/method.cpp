#include "codec/method.hpp"

#include <lz4.h>
#include <zstd.h>

#include <memory>
#include <new>

namespace larder::codec {

namespace {

// Of 1 MiB of C headers this leaves 9 % more than level 3 does, in a third of the time.
constexpr int k_zstd_level = 1;

// What zstd works in: to allocate it takes 8 us, as long as to decode 10 KiB. So every thread keeps its own.
template <class Context, Context* (*Make)(), std::size_t (*Free)(Context*)>
Context* context_of_thread() {
  struct Freer {
    void operator()(Context* context) const noexcept { Free(context); }
  };
  thread_local const std::unique_ptr<Context, Freer> context(Make());
  if (context == nullptr) throw std::bad_alloc();
  return context.get();
}

char* chars(std::span<std::byte> bytes) noexcept {
  return reinterpret_cast<char*>(bytes.data());
}
const char* chars(Bytes bytes) noexcept {
  return reinterpret_cast<const char*>(bytes.data());
}

}  // namespace

std::optional<std::size_t> compress(Method method, Bytes from, std::span<std::byte> to) {
  if (method == Method::lz4) {
    const int length =
        LZ4_compress_default(chars(from), chars(to), static_cast<int>(from.size()), static_cast<int>(to.size()));
    return length > 0 ? std::optional(static_cast<std::size_t>(length)) : std::nullopt;
  }
  const std::size_t length = ZSTD_compressCCtx(context_of_thread<ZSTD_CCtx, ZSTD_createCCtx, ZSTD_freeCCtx>(),
                                               to.data(), to.size(), from.data(), from.size(), k_zstd_level);
  return ZSTD_isError(length) == 0 ? std::optional(length) : std::nullopt;
}

bool decompress(Method method, Bytes from, std::span<std::byte> to) {
  if (method == Method::lz4) {
    const int length =
        LZ4_decompress_safe(chars(from), chars(to), static_cast<int>(from.size()), static_cast<int>(to.size()));
    return length >= 0 && static_cast<std::size_t>(length) == to.size();
  }
  const std::size_t length = ZSTD_decompressDCtx(context_of_thread<ZSTD_DCtx, ZSTD_createDCtx, ZSTD_freeDCtx>(),
                                                 to.data(), to.size(), from.data(), from.size());
  return ZSTD_isError(length) == 0 && length == to.size();
}

}  // namespace larder::codec
