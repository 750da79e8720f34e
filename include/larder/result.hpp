// Errors, and results that may be one.
//
// larder has two kinds of trouble. A *fault* (a full disk, a damaged file) is never an error: it is a
// miss with a counter (stats.hpp). An *error* is either an unusable option, which `Cache::open` and the
// parsers return in a `Result`, or a bug of the caller (another type than was stored, a cycle of
// computations), which is thrown as `Error`.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <larder/version.hpp>

namespace larder {

// What went wrong, for programs. The numbers are stable: the tool maps them to exit codes.
enum class Errc {
  invalid_option = 1,          // an option contradicts another or is out of range
  invalid_size = 2,            // text that is not a size
  invalid_duration = 3,        // text that is not a duration
  unsupported_filesystem = 4,  // the directory is on a file system the store cannot trust
  incompatible_format = 5,     // the store was written by a newer larder, or is no store
  permission = 6,              // the directory may not be used by this user
  no_space = 7,                // the disk is full
  io = 8,                      // the system refused for another reason
  type_mismatch = 9,           // the entry holds another type than was asked for
  cycle = 10,                  // a computation asks, directly or not, for its own key
  damaged = 11,                // bytes that do not decode
  key_too_long = 12,           // a canonical key beyond k_key_bytes_max
  no_store = 13,               // the operation needs a store and none is open
  not_found = 14,              // a file that should be there is not
  exhausted = 15,              // the system has no descriptors or no memory left for now
};

// An error: what happened, where, and what to do next. Both texts are for people.
class LARDER_API Error : public std::exception {
 public:
  Error(Errc code, std::string what, std::string help = {})
      : code_(code), what_(std::move(what)), help_(std::move(help)) {}

  [[nodiscard]] Errc code() const noexcept { return code_; }
  // One sentence: what happened and to what, for example "`20 gigs` is not a size".
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }
  // The cure, or empty.
  [[nodiscard]] const std::string& help() const noexcept { return help_; }

 private:
  Errc code_;
  std::string what_;
  std::string help_;
};

// A value, or the error that stands in its place.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  // The value; throws the error if there is none.
  [[nodiscard]] T& value() & { return throw_unless_value(), *std::get_if<0>(&state_); }
  [[nodiscard]] const T& value() const& { return throw_unless_value(), *std::get_if<0>(&state_); }
  [[nodiscard]] T&& value() && { return throw_unless_value(), std::move(*std::get_if<0>(&state_)); }

  // REQUIRES: !has_value().
  [[nodiscard]] const Error& error() const { return *std::get_if<1>(&state_); }

  // REQUIRES: has_value().
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

 private:
  void throw_unless_value() const {
    if (const Error* error = std::get_if<1>(&state_)) throw *error;
  }

  std::variant<T, Error> state_;
};

// Success, or an error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const {
    if (error_) throw *error_;
  }
  // REQUIRES: !has_value().
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace larder
