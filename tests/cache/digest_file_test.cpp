// A file's digest is the digest of its content.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include <larder/digest.hpp>

#include "support/temporary_directory.hpp"

namespace larder {
namespace {

TEST(DigestFile, IsTheDigestOfTheContentAtEveryLengthAroundTheReadBuffer) {
  const test::TemporaryDirectory directory;
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, (std::size_t{1} << 20) - 1, std::size_t{1} << 20,
                                   (std::size_t{3} << 20) + 17}) {
    std::string content(length, '\0');
    for (std::size_t i = 0; i < length; ++i) content[i] = static_cast<char>(i * 131 >> 3);
    std::ofstream(directory.path() / "f", std::ios::binary) << content;
    EXPECT_EQ(digest_file(directory.path() / "f").value(), digest(std::as_bytes(std::span(content)))) << length;
  }
}

TEST(DigestFile, OfALinkIsTheDigestOfTheFileThatItLeadsTo) {
  const test::TemporaryDirectory directory;
  std::ofstream(directory.path() / "f") << "content";
  std::filesystem::create_symlink("f", directory.path() / "link");
  EXPECT_EQ(digest_file(directory.path() / "link").value(), digest_file(directory.path() / "f").value());
}

TEST(DigestFile, NamesAFileThatCannotBeRead) {
  const Result<Digest> digest = digest_file("/no/such/file");
  ASSERT_FALSE(digest);
  EXPECT_NE(std::string(digest.error().what()).find("/no/such/file"), std::string::npos);
}

}  // namespace
}  // namespace larder
