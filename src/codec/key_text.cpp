// Keys as people read them: short, on one line, safe to print on a terminal whatever the key holds.
#include <larder/key.hpp>

#include <array>
#include <charconv>
#include <cstring>

#include "codec/key_format.hpp"

namespace larder {
namespace {

using codec::Reader;
using codec::Tag;

constexpr std::size_t k_shown_bytes_max = 48;    // of a text
constexpr std::uint64_t k_shown_items_max = 16;  // of arguments or members
constexpr int k_shown_depth_max = 4;
constexpr const char* k_ellipsis = "…";

// Length of the printable UTF-8 character that `text` starts with; 0 if it starts with none.
std::size_t printable(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if (first == 0xc2 && second < 0xa0) return 0;                                          // control characters
  if ((first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90)) return 0;    // not the shortest form
  if ((first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90)) return 0;  // surrogates, beyond Unicode
  return length;
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {k_digits[byte >> 4], k_digits[byte & 15]};
  }
}

// What does not print, `quote` and backslashes are escaped; long texts end in an ellipsis.
void append_escaped(std::string& out, std::string_view text, char quote) {
  std::size_t at = 0;
  while (at < text.size() && at < k_shown_bytes_max) {
    const std::size_t length = printable(text.substr(at));
    if (length == 0) {
      out += "\\x";
      append_hex(out, text.substr(at, 1));
    } else {
      if (length == 1 && (text[at] == quote || text[at] == '\\')) out += '\\';
      out += text.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  if (at < text.size()) out += k_ellipsis;
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> buffer{};
  out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr);
}

// A real looks unlike an integer: 4096.0, 1e+300, nan.
void append_real(std::string& out, std::string_view payload) {
  double value = 0;
  std::memcpy(&value, payload.data(), sizeof(value));
  const std::size_t start = out.size();
  append_number(out, value);
  if (out.find_first_not_of("-0123456789", start) == std::string::npos) out += ".0";
}

// Decimal where 64 bits hold it, else hexadecimal as it stands.
void append_integer(std::string& out, std::string_view payload) {
  const bool negative = (payload.back() & 0x80) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  if (payload.size() <= 8) {
    std::memcpy(&value, payload.data(), payload.size());
    negative ? append_number(out, static_cast<std::int64_t>(value)) : append_number(out, value);
  } else if (payload.size() == 9 && payload.back() == 0) {
    std::memcpy(&value, payload.data(), 8);
    append_number(out, value);
  } else {
    out += "integer:";
    append_hex(out, payload.substr(0, k_shown_bytes_max));
    if (payload.size() > k_shown_bytes_max) out += k_ellipsis;
  }
}

std::string brief(const Digest& digest) {
  return digest.hex().substr(0, 8);
}

// Appends the value at the reader's front and moves past it. REQUIRES: it is well-formed.
void append_value(std::string& out, Reader& reader, int depth);

void append_members(std::string& out, Reader& reader, std::uint64_t count, bool pairs, int depth) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i == k_shown_items_max) out += std::string(", ") + k_ellipsis + std::to_string(count - i) + " more";
    if (i >= k_shown_items_max) {
      reader.value();
      if (pairs) reader.value();
      continue;
    }
    if (i > 0) out += ", ";
    append_value(out, reader, depth);
    if (!pairs) continue;
    out += ": ";
    append_value(out, reader, depth);
  }
}

void append_value(std::string& out, Reader& reader, int depth) {
  const Reader before = reader;
  const Reader::Item item = reader.item().value();
  const auto container = [&](const char* open, const char* close) {
    if (depth == k_shown_depth_max) {
      out += std::string(open) + k_ellipsis + close;
      reader = before;
      reader.value();
      return;
    }
    out += open;
    append_members(out, reader, item.length, item.tag == Tag::map, depth + 1);
    out += close;
  };
  switch (item.tag) {
    case Tag::none:
      out += "none";
      break;
    case Tag::no:
      out += "false";
      break;
    case Tag::yes:
      out += "true";
      break;
    case Tag::integer:
      append_integer(out, item.payload);
      break;
    case Tag::real:
      append_real(out, item.payload);
      break;
    case Tag::complex:
      out += "complex(";
      append_real(out, item.payload);
      out += ", ";
      append_real(out, item.payload.substr(8));
      out += ')';
      break;
    case Tag::text:
      out += '"';
      append_escaped(out, item.payload, '"');
      out += '"';
      break;
    case Tag::bytes:
      out += "bytes[" + std::to_string(item.length) + "]:";
      append_hex(out, item.payload.substr(0, 8));
      if (item.length > 8) out += k_ellipsis;
      break;
    case Tag::long_text:
      out += "text[" + std::to_string(item.length) + "]:" + brief(item.digest) + k_ellipsis;
      break;
    case Tag::long_bytes:
      out += "bytes[" + std::to_string(item.length) + "]#" + brief(item.digest) + k_ellipsis;
      break;
    case Tag::digest:
      out += '#' + brief(item.digest) + k_ellipsis;
      break;
    case Tag::array: {
      out += std::string(dtype_name(item.dtype)) + '[';
      Reader shape(item.payload);
      for (std::uint64_t i = 0; i < item.length && i < k_shown_items_max; ++i) {
        if (i > 0) out += ',';
        append_number(out, shape.leb128().value());
      }
      if (item.length > k_shown_items_max) out += k_ellipsis;
      out += "]:" + brief(item.digest) + k_ellipsis;
      break;
    }
    case Tag::list:
      container("[", "]");
      break;
    case Tag::tuple:
      container("(", ")");
      break;
    case Tag::set:
      container("{", "}");
      break;
    case Tag::map:
      container("map{", "}");
      break;
  }
}

// What stands before the arguments.
struct Head {
  std::string_view name;
  std::uint64_t version = 0;
  std::uint64_t arguments = 0;
};
Head take_head(Reader& reader) {
  Head head;
  reader.take(1);
  head.name = reader.take(reader.leb128().value()).value();
  head.version = reader.leb128().value();
  head.arguments = reader.leb128().value();
  return head;
}

Reader reader_of(const Key& key) {
  return Reader({reinterpret_cast<const char*>(key.canonical().data()), key.canonical().size()});
}

std::string printable_name(const Key& key) {
  std::string out;
  append_escaped(out, key.name(), '\0');
  return out;
}

}  // namespace

std::string Key::name() const {
  Reader reader = reader_of(*this);
  return std::string(take_head(reader).name);
}

std::string Key::text() const {
  Reader reader = reader_of(*this);
  const Head head = take_head(reader);
  std::string out = printable_name(*this);
  if (head.version > 0) out += '@' + std::to_string(head.version);
  if (head.arguments == 0) return out;
  out += '(';
  append_members(out, reader, head.arguments, false, 0);
  out += ')';
  return out;
}

std::string Key::short_text() const {
  return printable_name(*this) + '#' + brief(fingerprint_);
}

}  // namespace larder
