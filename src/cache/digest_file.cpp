// The digest of a file: read in pieces, so that a large file takes little memory.
#include <vector>

#include <larder/digest.hpp>

#include "os/os.hpp"

namespace larder {

Result<Digest> digest_file(const std::filesystem::path& path) {
  constexpr std::size_t k_piece_bytes = 1 << 20;
  const auto file = os::File::open_regular(path);
  if (!file) return file.error();
  DigestStream stream;
  std::vector<std::byte> piece(k_piece_bytes);
  for (std::uint64_t offset = 0;;) {
    const auto read = file->read_at(offset, piece);
    if (!read) return read.error();
    if (*read == 0) return stream.value();
    stream.update(std::span(piece).first(*read));
    offset += *read;
  }
}

}  // namespace larder
