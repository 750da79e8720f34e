// A 128-bit digest of bytes (XXH3-128), the identity of keys and of large arguments.
//
// Not cryptographic: it tells different inputs apart (two random inputs collide with probability
// 2^-128), but somebody who chooses inputs can make them collide. Keys are therefore stored and
// compared in full; only the contents of arrays, files and long strings enter a key by digest alone.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <larder/result.hpp>

namespace larder {

struct Digest {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  auto operator<=>(const Digest&) const = default;  // NOLINT(modernize-use-nullptr): the tool is mistaken
  // 32 hexadecimal digits, high word first: the canonical XXH3-128 text.
  [[nodiscard]] LARDER_API std::string hex() const;
};

// The digest of `bytes`, all of them.
LARDER_API Digest digest(std::span<const std::byte> bytes);

// The digest of bytes that arrive in pieces. Not thread-safe. Movable.
class LARDER_API DigestStream {
 public:
  DigestStream();
  ~DigestStream();
  DigestStream(DigestStream&&) noexcept;
  DigestStream& operator=(DigestStream&&) noexcept;

  void update(std::span<const std::byte> bytes);
  // The digest of everything so far; more may follow.
  [[nodiscard]] Digest value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The digest of a file's whole content. Fails, naming the file, if it cannot be read.
LARDER_API Result<Digest> digest_file(const std::filesystem::path& path);

}  // namespace larder
