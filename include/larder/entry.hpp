// What can be said of one entry: when it is put, and when it is listed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <larder/compression.hpp>
#include <larder/key.hpp>
#include <larder/units.hpp>

namespace larder {

// Where a value came from, fast to slow.
enum class Tier : std::uint8_t { memory = 0, store = 1, computed = 2 };
// "memory", "store", "computed".
LARDER_API const char* tier_name(Tier tier);

// A predicate over the computed value, for EntryOptions::store_if. Made from any callable that takes
// one `const T&` and returns bool; T must be the type of the entry (Error(type_mismatch)).
class StoreIf {
 public:
  StoreIf() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, StoreIf>)
      StoreIf(F&& predicate)  // NOLINT(google-explicit-constructor)
      : StoreIf(Tag{}, std::function{std::forward<F>(predicate)}) {}

  explicit operator bool() const noexcept { return static_cast<bool>(predicate_); }
  [[nodiscard]] const std::type_info& type() const noexcept { return *type_; }
  // REQUIRES: `value` points to a type() object.
  [[nodiscard]] bool operator()(const void* value) const { return predicate_(value); }

 private:
  struct Tag {};
  template <class A>
  StoreIf(Tag, std::function<bool(A)> predicate) : type_(&typeid(std::remove_cvref_t<A>)) {
    if (!predicate) return;  // an empty std::function is no predicate
    predicate_ = [predicate = std::move(predicate)](const void* value) {
      return predicate(*static_cast<const std::remove_cvref_t<A>*>(value));
    };
  }

  const std::type_info* type_ = &typeid(void);
  std::function<bool(const void*)> predicate_;
};

// An entry has at most so many tags.
inline constexpr std::size_t k_tags_max = 255;

struct EntryOptions {
  // How long the value is fresh, counted from the end of the computation. `0` keeps nothing.
  Duration ttl = k_never;

  // The part of the TTL, 0 to 1, of which a random share is taken off, so that what was made together does not expire
  // together.
  double jitter = 0;

  // An entry that is past its TTL is *stale* for as long as the longer one of these two windows says that it is put
  // with, and is then over. Only who asks for it with get_or_compute and a window is answered with a stale value, and
  // only while that window lasts. docs/guide/freshness.md

  // A value that is asked for when no more than this is left of its TTL is computed anew before its time is over: by
  // one caller, while all others are answered with it.
  Duration refresh_ahead = std::chrono::nanoseconds(0);
  // The same for so long after its TTL.
  Duration stale_while_revalidate = std::chrono::nanoseconds(0);
  // If computing it anew fails, no more than this after its TTL, the caller is answered with the stale value, and not
  // with the exception.
  Duration stale_if_error = std::chrono::nanoseconds(0);

  // For how long it is kept that there is no answer, where get_or_compute<T>() is given a function that returns
  // std::optional<T> and that returns nothing. `0`: not at all.
  Duration negative_ttl = std::chrono::nanoseconds(0);

  // What the value is worth in compute time, instead of the measured time; for `put`, where nothing
  // was measured, the default is zero.
  std::optional<Duration> cost = std::nullopt;

  // Labels by which Cache::invalidate() puts the entry out of date; at most k_tags_max. What was invalidated after the
  // computation began (for `put`: after the call began) makes its value out of date from the start.
  std::vector<std::string> tags = {};

  // How the value is kept in the store, instead of Options::compression.
  std::optional<Compression> compression = std::nullopt;

  // Called with the computed value, outside every lock; false means: return it, keep it nowhere.
  StoreIf store_if = {};
};

// One entry of a listing. An entry may be gone by the time it is read.
struct EntryInfo {
  Key key;
  Tier tier = Tier::store;  // the fastest tier that holds it
  std::string type;         // Codec<T>::type_name()
  std::uint64_t bytes = 0;  // of the encoded value; in memory only: its weight
  // What the store keeps instead of these; none: they are not compressed there, or a faster tier has the entry, too.
  std::optional<std::uint64_t> compressed_bytes = std::nullopt;
  std::chrono::nanoseconds cost{0};
  std::chrono::system_clock::time_point created;
  std::optional<std::chrono::system_clock::time_point> expires;  // the end of its TTL; none: never
  // If it has a grace, as stale: until when.
  std::optional<std::chrono::system_clock::time_point> stale_until = std::nullopt;
  bool no_answer = false;  // what is kept is that there is none: EntryOptions::negative_ttl
};

}  // namespace larder
