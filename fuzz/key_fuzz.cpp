// Bytes that claim to be a canonical key: refused, or a key with exactly these bytes and a bounded text.
#include <algorithm>
#include <cstdlib>

#include <larder/key.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto key = larder::Key::from_canonical(bytes);
  if (!key) return 0;
  if (!std::ranges::equal(key->canonical(), bytes)) std::abort();
  if (key->fingerprint() != larder::digest(bytes)) std::abort();
  if (key->name().size() > size) std::abort();
  if (key->text().size() < key->short_text().find('#')) std::abort();
  return 0;
}
