// Large values in parts: written as they are produced, read as they are needed, at no time whole in the memory of the
// process.
//
//   larder::ValueWriter writer = cache.writer(larder::Key{"frames", 7});
//   while (const auto frame = camera.next()) writer.write(frame->bytes());
//   writer.publish();
//
//   if (const auto reader = cache.reader(larder::Key{"frames", 7})) show(reader->view(offset, frame_bytes));
//
// What is written is an entry like one that was put as a std::vector<std::byte>: that is how get() returns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <larder/codec.hpp>
#include <larder/codecs.hpp>
#include <larder/entry.hpp>
#include <larder/result.hpp>

namespace larder {

struct PutOutcome;

namespace detail {

class Writing;
class Reading;

// How a value that comes in pieces becomes one of a type.
struct Form {
  const Type* type;
  // Where the encoded form of a large one begins with bytes that are known at the end only.
  std::uint64_t front_bytes;
  // A small one as an object.
  Value (*hold)(Bytes front, std::vector<std::byte>&& rest);
};

// What stands before the bytes in the encoded form of a large sequence of them: their number, and padding.
inline constexpr std::uint64_t k_bytes_front = payload_alignment(k_page_align_bytes_min, 1);

// Decodes what came in two parts. Throws what the codec throws.
LARDER_API Value decode_joined(const Type& type, Bytes front, Bytes rest);

// Destroys what only the library knows.
struct LARDER_API Close {
  void operator()(Writing* writing) const noexcept;
  void operator()(Reading* reading) const noexcept;
};

}  // namespace detail

// Writes one value piece by piece. From a few MiB on (Options::store: a sixty-fourth of the limit, 4 MiB at most) the
// bytes go to the store as they come, and count against its limit; a smaller value, or any if there is no store, waits
// in memory and is then put as others are. Nobody sees anything before publish(), and the key keeps what it had.
// Destroying it before that abandons the value.
//
// A key that is put or removed by anybody after its writer was made is not written over: publish() is `superseded`.
// (In a store with tens of thousands of puts meanwhile that may seem so of a key that nobody touched.) How much will
// come is not known beforehand: a value that turns out to be larger than the store has displaced others by then.
//
// Threads: one at a time. Keeps the cache open. In a forked child what was begun before cannot be published, but for a
// value that is still in memory.
class LARDER_API ValueWriter {
 public:
  explicit ValueWriter(std::unique_ptr<detail::Writing, detail::Close> writing) : writing_(std::move(writing)) {}

  // Appends to the value. False: a tier refused the value (too large, a full disk), so that there is no need for the
  // rest; publish() says so, too. Never throws for a fault. REQUIRES: not published.
  bool write(std::span<const std::byte> bytes);
  // Makes it the value of the key, and for a claim ends that. A value that has gone to the store is not in memory
  // afterwards, and is written when this returns. Once.
  PutOutcome publish();
  // Gives the value up. Of a claim, those who wait receive `reason`, if there is one, as an exception; otherwise one of
  // them takes over.
  void abandon(std::exception_ptr reason = nullptr) noexcept;

  // Bytes written so far.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
  std::unique_ptr<detail::Writing, detail::Close> writing_;  // null: published or abandoned
  std::uint64_t size_ = 0;
};

// Writes the encoded form of a value of any type (see Codec) in the same way, for codecs whose first bytes say what is
// known at the end only: a length, a count. See Claim::encoded_writer().
class LARDER_API EncodedWriter {
 public:
  explicit EncodedWriter(std::unique_ptr<detail::Writing, detail::Close> writing) : writing_(std::move(writing)) {}

  // As ValueWriter::write: what follows the front.
  bool write(std::span<const std::byte> bytes);
  // As ValueWriter::publish. `front` is as long as was said in the beginning. Bytes that the codec does not decode are
  // not published.
  PutOutcome publish(std::span<const std::byte> front);
  void abandon(std::exception_ptr reason = nullptr) noexcept;

 private:
  std::unique_ptr<detail::Writing, detail::Close> writing_;
};

// Reads one value in parts, where it lies. A value that comes from the store is verified MiB by MiB, as far as it is
// read (Options::verification); opening it takes no longer for a large one.
//
// Pins the value: its bytes stay readable, and count against the store's limit, even if the entry is evicted, removed
// or overwritten meanwhile.
//
// Threads: any number at once. Keeps the cache open. Goes on in a forked child.
class LARDER_API ValueReader {
 public:
  explicit ValueReader(std::unique_ptr<detail::Reading, detail::Close> reading) : reading_(std::move(reading)) {}

  // Length of the value: of bytes and texts their own, of other types that of the encoded form, which is then read.
  [[nodiscard]] std::uint64_t size() const noexcept;
  // Codec<T>::type_name() of what was put.
  [[nodiscard]] const std::string& type() const noexcept;
  // The tier that it comes from.
  [[nodiscard]] Tier source() const noexcept;

  // Copies what stands at `offset` and returns how many bytes that is: fewer than `into` takes only at the value's end.
  // An error says what is damaged (Errc::damaged) or what the system refused (Errc::io); a damaged value is counted and
  // forgotten by the cache, and what else of it is whole can still be read here.
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const;
  // The same in place: nothing is copied. Valid for as long as the reader lives.
  [[nodiscard]] Result<std::span<const std::byte>> view(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  std::unique_ptr<detail::Reading, detail::Close> reading_;
};

namespace detail {

// Types whose values are nothing but bytes.
template <class T>
concept ByteSequence = std::same_as<T, std::vector<std::byte>> || std::same_as<T, std::span<const std::byte>>;

}  // namespace detail
}  // namespace larder
