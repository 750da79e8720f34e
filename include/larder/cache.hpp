// A Cache remembers results that were expensive to compute: in this process's memory, and in a
// directory that all processes of the machine share. Any copy may vanish at any moment; none is ever
// returned damaged or out of date.
//
//   auto cache = larder::Cache::open({.directory = "/var/cache/fit"}).value();
//   auto model = cache.get_or_compute(larder::Key{"fit", data_hash}, [&] { return fit(rows); });
//   use(*model);   // a Ref<Model>: immutable, shared; model.source() says which tier answered
//
// Faults of the cache (a full disk, a damaged file, missing permissions) are misses with a counter:
// the computation runs and its result is returned. Thrown are only `Error` for misuse (another type
// than was stored; a cycle of computations; unusable entry options), what `compute` and
// `store_if` throw, and std::bad_alloc.
//
// Threads: every member function may be called from any thread. No user code (compute functions,
// codecs, destructors, predicates) runs under a lock of the cache, and a computation may use it again.
// Processes: after fork() the child's next call opens the cache anew; handles from before stay valid.
// A Cache is a cheap handle: copies share one cache, which closes, writing back, with the last copy.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <larder/codec.hpp>
#include <larder/codecs.hpp>
#include <larder/entry.hpp>
#include <larder/key.hpp>
#include <larder/options.hpp>
#include <larder/ref.hpp>
#include <larder/result.hpp>
#include <larder/stats.hpp>
#include <larder/stream.hpp>

namespace larder {

// What became of a put. Being refused by a tier is not an error.
struct PutOutcome {
  enum class Store : std::uint8_t {
    none,  // there is no store, or the options keep the value out of it
    queued,
    written,
    refused,
    superseded,  // another put or removal of the key came after this one
  };
  bool in_memory = false;
  Store in_store = Store::none;
};

// What a lookup found: the value, or nothing. Nothing is a miss, or that it is known that there is no answer.
template <class T>
class Lookup : public std::optional<Ref<T>> {
 public:
  using std::optional<Ref<T>>::optional;
  [[nodiscard]] static Lookup negative() {
    Lookup lookup;
    lookup.negative_ = true;
    return lookup;
  }

  // True of a negative hit: computing it brought no answer, and its negative TTL is not over.
  [[nodiscard]] bool is_negative() const noexcept { return negative_; }

 private:
  bool negative_ = false;
};

namespace detail {

class Engine;
class Flight;

// What is kept in the place of an answer where there is none.
struct NoAnswer {};

}  // namespace detail

template <>
struct Codec<detail::NoAnswer> {
  static std::string type_name() { return "no answer"; }
  static void encode(const detail::NoAnswer&, Encoder&) {}
  static detail::NoAnswer decode(Decoder&) { return {}; }
};

namespace detail {

// An answer with its type erased; without a value, that nothing was found.
struct Answer {
  Value value;
  Tier source = Tier::computed;
  std::chrono::nanoseconds cost{0};
  std::chrono::nanoseconds saved{0};
  bool negative = false;  // the value is a NoAnswer

  explicit operator bool() const noexcept { return value != nullptr; }
};

// The leader's end of a flight. Exactly one of fulfil and fail ends it; the destructor fails it.
class LARDER_API Obligation {
 public:
  Obligation(std::shared_ptr<Engine> engine, std::shared_ptr<Flight> flight);
  ~Obligation();
  Obligation(Obligation&&) noexcept;
  Obligation& operator=(Obligation&&) noexcept;

  // Publishes the value and wakes the waiters. Throws for unusable options; the flight has failed then.
  Answer fulfil(Value value, const Type& type, const EntryOptions& options);
  // Ends the flight without a value: waiters receive `reason`, or with none compute in their turn.
  void fail(std::exception_ptr reason) noexcept;
  // The same; what it returns, if anything, is an older value that the caller takes instead.
  Answer fail_over(const std::exception_ptr& reason) noexcept;
  // Hands the flight to a writer. Throws for unusable options; the flight has failed then.
  std::unique_ptr<Writing, Close> write(const Form& form, const EntryOptions& options);

 private:
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Flight> flight_;  // null: ended
  std::uint64_t generation_;        // the process that it belongs to
};

// Throws Error for options that cannot be used: asked before the work is done, not after.
LARDER_API void check_text(const EntryOptions& options);
[[nodiscard]] inline bool is_zero(const Duration& duration) {
  return duration.is_parsed() && duration.nanoseconds().value() == std::chrono::nanoseconds(0);
}
// Whether whoever asks with these options may take something else than a fresh value.
[[nodiscard]] inline bool has_windows(const EntryOptions& options) {
  return !is_zero(options.refresh_ahead) || !is_zero(options.stale_while_revalidate) ||
         !is_zero(options.stale_if_error);
}
inline void check(const EntryOptions& options) {
  const bool plain = options.ttl.is_parsed() && options.negative_ttl.is_parsed() && !has_windows(options);
  if (!plain || options.jitter != 0 || options.cost || !options.tags.empty()) check_text(options);
}

// What a caller takes instead of a value, or of an obligation.
struct Takes {
  bool later = false;     // that what is due is computed later
  bool negative = false;  // that there is no answer
};

// One of the two.
struct Claimed {
  std::optional<Answer> answer;
  std::optional<Obligation> obligation;
  bool due = false;  // the answer is to be computed anew by the cache: it wants the computation
};

// What a computation has brought.
struct Computed {
  Value value;
  const Type* type = nullptr;
};

// A computation that the cache may make when the caller has gone on.
struct Later {
  std::function<Computed()> compute;
  const Type* type = nullptr;  // that is asked for
  bool negative = false;       // whether there may be no answer
  EntryOptions options;
};

// What is cached as a T that is a view (a span): the owner, and the view of it.
template <class Owned>
struct Owner {
  Owned owned;
};
template <class T>
struct View {
  T view;
};
template <class T, class Owned>
struct OwnedView : Owner<Owned>, View<T> {
  template <class R>
  explicit OwnedView(R&& result) : Owner<Owned>{std::forward<R>(result)}, View<T>{T(std::as_const(this->owned))} {}
};

// Whether objects of the type refer to memory that is not theirs.
template <class T>
constexpr bool is_view() {
  if constexpr (std::is_pointer_v<T> || std::is_array_v<T> || std::ranges::borrowed_range<T>) return true;
  if constexpr (Storable<T>) return borrows<T>();
  return false;
}

// Puts a computed result on the heap as the T that is cached: the result itself, what it converts to, or, where T is a
// view, the result together with the view of it.
template <class T, class R>
Value hold(R&& result) {
  using Owned = std::remove_cvref_t<R>;
  if constexpr (!borrows<T>()) {
    static_assert(std::is_convertible_v<R, T>, "what is put or computed does not convert to the type that is cached");
    return std::make_shared<const T>(std::forward<R>(result));
  } else {
    static_assert(!is_view<Owned>(),
                  "a view cannot be cached without what it views: return the owner, e.g. a std::vector or std::string");
    static_assert(std::is_constructible_v<T, const Owned&>, "the type that is cached is no view of what is put");
    auto held = std::make_shared<const OwnedView<T, Owned>>(std::forward<R>(result));
    const T* view = &held->view;
    return Value(std::move(held), view);
  }
}

// k_type<T> for a T that is held together with its owner: it weighs what the owner takes.
template <class T, class Owned>
inline constexpr Type k_type_of_view = [] {
  Type type = k_type<T>;
  type.weight = [](const void* value) {
    const auto& held = static_cast<const OwnedView<T, Owned>&>(*static_cast<const View<T>*>(value));
    return sizeof(T) + larder::weight(held.owned);
  };
  return type;
}();

// The type of what hold<T, R>() makes.
template <class T, class R>
constexpr const Type& type_held() {
  using Owned = std::remove_cvref_t<R>;
  if constexpr (borrows<T>() && Storable<Owned>) {
    return k_type_of_view<T, Owned>;
  } else {
    return k_type<T>;
  }
}

// Whether a function that returns an R computes a T, or that there is none.
template <class T, class R>
inline constexpr bool k_maybe = false;
template <class T, class U>
inline constexpr bool k_maybe<T, std::optional<U>> = !std::is_void_v<T> && !std::is_convertible_v<std::optional<U>, T>;

// What a function computed whose result is cached as a T.
template <class T, class R>
Computed computed(R&& result) {
  if constexpr (k_maybe<T, std::remove_cvref_t<R>>) {
    if (!result) return {std::make_shared<const NoAnswer>(), &k_type<NoAnswer>};
    return computed<T>(*std::forward<R>(result));
  } else {
    return {hold<T>(std::forward<R>(result)), &type_held<T, R>()};
  }
}

// Bytes that come in pieces, as a T.
template <ByteSequence T>
inline constexpr Form k_bytes_form = {&type_held<T, std::vector<std::byte>>(), k_bytes_front,
                                      [](Bytes, std::vector<std::byte>&& rest) { return hold<T>(std::move(rest)); }};
// The encoded form of a T that comes in pieces.
template <Storable T>
constexpr Form encoded_form(std::uint64_t front_bytes) {
  return {&k_type<T>, front_bytes,
          [](Bytes front, std::vector<std::byte>&& rest) { return decode_joined(k_type<T>, front, rest); }};
}

template <class T>
Ref<T> to_ref(Answer&& answer) {
  return Ref<T>(std::static_pointer_cast<const T>(std::move(answer.value)), answer.source, answer.cost, answer.saved);
}

// What get_or_compute returns.
template <class T, bool maybe>
auto to_result(Answer&& answer) {
  if constexpr (!maybe) {
    return to_ref<T>(std::move(answer));
  } else {
    return answer.negative ? std::nullopt : std::optional(to_ref<T>(std::move(answer)));
  }
}

// Made once: that takes a fifth of the time of a hit.
inline const EntryOptions& no_options() {
  static const EntryOptions options;
  return options;
}

// Says what is wrong with a type that cannot be cached.
template <class T>
consteval bool cacheable() {
  static_assert(!std::is_pointer_v<T> && !std::is_array_v<T>,
                "a pointer or an array (a string literal) does not own its bytes: return or put a std::string or "
                "std::vector, or name the type: put<std::string>(key, \"text\")");
  static_assert(std::is_void_v<T> || Storable<T>, "this type has no larder::Codec; see larder/codec.hpp");
  return true;
}
template <class T>
inline constexpr bool k_cacheable = cacheable<T>();

// T if given, else what F returns.
template <class T, class F, class... Arguments>
using Stored = std::conditional_t<std::is_void_v<T>, std::remove_cvref_t<std::invoke_result_t<F, Arguments...>>, T>;

}  // namespace detail

// A function that owns all that it uses. Where a value is due (EntryOptions::refresh_ahead, stale_while_revalidate),
// nobody waits for it: the cache computes it anew on a thread of its own, and the caller is answered with the older
// value like all others. Where there is none, the caller computes as always.
//   cache.get_or_compute(key, larder::detached([url] { return download(url); }), {.ttl = "1h", .refresh_ahead = "5m"});
// A cache that closes waits for the function that runs, and gives up those that wait to.
template <class F>
struct Detached {
  F function;
  decltype(auto) operator()() { return std::invoke(function); }
  decltype(auto) operator()() const requires std::invocable<const F&> { return std::invoke(function); }
};
template <class F>
[[nodiscard]] Detached<std::decay_t<F>> detached(F&& function) {
  return {std::forward<F>(function)};
}

namespace detail {
template <class F>
inline constexpr bool k_detached = false;
template <class F>
inline constexpr bool k_detached<Detached<F>> = true;
}  // namespace detail

// Either the value of a key, or the obligation to produce it: the primitive beneath get_or_compute,
// for producers that stream or live in coroutines. While an obligation is open, others who ask for the
// key wait; destroying the Claim abandons it and hands over to exactly one of them.
//
// Threads: a Claim may be moved to and ended on another thread, but it counts as a computation of the
// thread that asked for it: that one gets Error(cycle) if it asks for the key again before the claim has
// ended. A thread that the claim was moved to must not ask for the key: it would wait for itself.
template <Storable T>
class Claim {
 public:
  explicit Claim(detail::Claimed claimed) : claimed_(std::move(claimed)) {}

  // True if the value is here; false if this caller has to produce it.
  [[nodiscard]] bool ready() const noexcept { return claimed_.answer.has_value(); }
  // REQUIRES: ready().
  [[nodiscard]] Ref<T> value() const& { return detail::to_ref<T>(detail::Answer(claimed_.answer.value())); }
  [[nodiscard]] Ref<T> value() && { return detail::to_ref<T>(std::move(claimed_.answer).value()); }

  // Publishes the value; the time since the claim is its cost. REQUIRES: !ready(), once.
  template <class R>
  Ref<T> fulfil(R&& result, const EntryOptions& options = {}) {
    return detail::to_ref<T>(
        take().fulfil(detail::hold<T>(std::forward<R>(result)), detail::type_held<T, R>(), options));
  }
  // Produces the value piece by piece instead: ValueWriter::publish() fulfils the claim, with nothing to return; who
  // waits finds the value in the store then. REQUIRES: !ready(), once.
  [[nodiscard]] ValueWriter writer(const EntryOptions& options = {}) requires detail::ByteSequence<T> {
    return ValueWriter(take().write(detail::k_bytes_form<T>, options));
  }
  // The same for any type, by its encoded form. The first `front_bytes` of it are given to publish(), the others to
  // write().
  [[nodiscard]] EncodedWriter encoded_writer(std::uint64_t front_bytes, const EntryOptions& options = {}) {
    return EncodedWriter(take().write(detail::encoded_form<T>(front_bytes), options));
  }
  // Gives the obligation up; nothing is stored. Those who wait receive `reason`, if there is one, as
  // an exception; otherwise one of them takes over.
  void abandon(std::exception_ptr reason = nullptr) noexcept {
    if (auto obligation = std::exchange(claimed_.obligation, std::nullopt)) obligation->fail(std::move(reason));
  }

 private:
  detail::Obligation take() { return std::move(std::exchange(claimed_.obligation, std::nullopt).value()); }

  detail::Claimed claimed_;
};

struct MemoizeOptions {
  // Raise it when the function's results change: results of other versions are never returned.
  Version version = {};
  EntryOptions entry = {};
};

template <class F>
class Memoized;

class LARDER_API Cache {
 public:
  // Opens the tiers that `options` ask for. Fails, naming the option and the cure, if the options are
  // unusable, if the store is of a newer format, or if its file system cannot be trusted. A store that
  // cannot be used for another reason (permissions, a full disk) is no failure: the cache works
  // without it, and stats().degraded says why.
  [[nodiscard]] static Result<Cache> open(const Options& options = {});

  // The fresh value of `key` from the fastest tier that has one, or nothing; Lookup::is_negative() then tells a known
  // lack of an answer from a miss. Never computes, never waits for a computation. Throws Error(type_mismatch) if the
  // entry is of another type.
  template <Storable T>
  [[nodiscard]] Lookup<T> get(const Key& key) {
    detail::Answer answer = get_erased(key, detail::k_type<T>);
    if (!answer) return std::nullopt;
    if (answer.negative) return Lookup<T>::negative();
    return detail::to_ref<T>(std::move(answer));
  }

  // Publishes a value, replacing what the key had. T is what readers ask for; a std::vector may be put
  // as a span. See PutOutcome for what "published" came to.
  template <class T = void, class R>
  PutOutcome put(const Key& key, R&& value, const EntryOptions& options = {}) {
    using S = std::conditional_t<std::is_void_v<T>, std::remove_cvref_t<R>, T>;
    static_assert(detail::k_cacheable<S>);
    return put_erased(key, detail::hold<S>(std::forward<R>(value)), detail::type_held<S, R>(), options);
  }

  // The value of `key`; calls `compute` if no tier has a fresh one. Of all callers who ask at once, in
  // all processes that share the store, one computes and the others wait for it without using CPU. If
  // `compute` throws, the waiters of this process receive the exception and nothing is stored. Who asks with windows
  // (EntryOptions::refresh_ahead, stale_while_revalidate, stale_if_error) may be answered with a value that is being
  // computed anew, or that could not be.
  // Throws Error(cycle) if `compute` asks, directly or through others, for its own key.
  //   get_or_compute(key, f)                           caches what f returns
  //   get_or_compute<std::span<const float>>(key, f)   f returns std::vector<float>; readers get views
  //   get_or_compute<Model>(key, f)                    f returns std::optional<Model>, so this does of Ref<Model>; that
  //                                                    there is none is kept for EntryOptions::negative_ttl
  template <class T = void, std::invocable F>
  auto get_or_compute(const Key& key, F&& compute, const EntryOptions& options = detail::no_options()) {
    using S = detail::Stored<T, F>;
    static_assert(!std::is_void_v<std::invoke_result_t<F>>, "the computation must return the value");
    static_assert(detail::k_cacheable<S>);
    if constexpr (Storable<S>) {
      using R = std::invoke_result_t<F>;
      detail::check(options);
      constexpr bool later = detail::k_detached<std::remove_cvref_t<F>>;
      constexpr bool maybe = detail::k_maybe<T, std::remove_cvref_t<R>>;
      detail::Claimed claimed = claim_erased(key, detail::k_type<S>, detail::has_windows(options) ? &options : nullptr,
                                             {.later = later, .negative = maybe});
      if constexpr (later) {
        if (claimed.due) {
          auto owned = std::make_shared<std::remove_cvref_t<F>>(std::forward<F>(compute));
          refresh_erased(key,
                         {[owned] { return detail::computed<S>((*owned)()); }, &detail::k_type<S>, maybe, options});
        }
      }
      if (claimed.answer) return detail::to_result<S, maybe>(*std::move(claimed.answer));
      detail::Obligation& obligation = *claimed.obligation;
      try {
        detail::Computed result = detail::computed<S>(std::forward<F>(compute)());
        return detail::to_result<S, maybe>(obligation.fulfil(std::move(result.value), *result.type, options));
      } catch (...) {
        detail::Answer older = obligation.fail_over(std::current_exception());
        if (!older) throw;
        return detail::to_result<S, maybe>(std::move(older));
      }
    }
  }

  // The value of `key`, or the obligation to produce it; waits while another caller produces it.
  template <Storable T>
  [[nodiscard]] Claim<T> claim(const Key& key) {
    return Claim<T>(claim_erased(key, detail::k_type<T>, nullptr, {}));
  }

  // A writer of the key's value, for large ones: it takes them piece by piece. Throws Error for options that cannot be
  // used; store_if cannot, since nobody sees the whole value.
  [[nodiscard]] ValueWriter writer(const Key& key, const EntryOptions& options = {});
  // A reader of the fresh value of `key`, of whatever type, from the fastest tier that has one, or nothing. Counts as a
  // lookup; never computes, never waits.
  [[nodiscard]] std::optional<ValueReader> reader(const Key& key);

  // A function that remembers: called with the same arguments, it returns the remembered result.
  //   auto spectrum = cache.memoize("spectrum", compute_spectrum, {.version = {3}});
  //   larder::Ref<std::vector<double>> s = spectrum(signal, 4096);
  // All arguments are part of the key; each must be a KeyArgument (key.hpp).
  template <class F>
  [[nodiscard]] Memoized<std::decay_t<F>> memoize(std::string name, F&& function, MemoizeOptions options = {});

  // Whether a lookup would hit now, without counting as one.
  [[nodiscard]] bool contains(const Key& key);
  // What is known of the entry of `key`, without reading its value, if a lookup would hit now; does not count as one.
  [[nodiscard]] std::optional<EntryInfo> entry(const Key& key);
  // Removes the entry from every tier, for every process, before it returns. True if there was one.
  bool remove(const Key& key);
  // Puts every entry with this tag (EntryOptions::tags) out of date, for every process, before it returns, however many
  // they are: none is returned to who asks afterwards, and what is being computed now will not be, either. Their room
  // is given back little by little.
  void invalidate(std::string_view tag);
  // Removes all entries from the store and from the memory of every process that shares it.
  void clear();

  // All entries, in no order. Not a snapshot: entries come and go meanwhile.
  [[nodiscard]] std::vector<EntryInfo> entries();

  // What this process's cache did since it was opened.
  [[nodiscard]] Stats stats() const;
  // What all processes together did since the store was made; stats() if there is no store.
  [[nodiscard]] Stats shared_stats() const;

  // Waits until everything put so far is in the store (or was refused). Where a codec, a destructor or on_event calls
  // it on the thread that writes, it returns at once.
  void flush();

  // The store's directory; empty without one.
  [[nodiscard]] std::filesystem::path directory() const;

 private:
  explicit Cache(std::shared_ptr<detail::Engine> engine) : engine_(std::move(engine)) {}

  detail::Answer get_erased(const Key& key, const detail::Type& type);
  PutOutcome put_erased(const Key& key, const detail::Value& value, const detail::Type& type,
                        const EntryOptions& options);
  // `options`: with what windows, if any.
  detail::Claimed claim_erased(const Key& key, const detail::Type& type, const EntryOptions* options,
                               detail::Takes takes);
  void refresh_erased(const Key& key, detail::Later computation);

  std::shared_ptr<detail::Engine> engine_;
};

// See Cache::memoize. Threads: may be called from any thread if the function may.
template <class F>
class Memoized {
 public:
  Memoized(Cache cache, std::string name, F function, MemoizeOptions options)
      : cache_(std::move(cache)),
        name_(std::move(name)),
        function_(std::move(function)),
        options_(std::move(options)) {}

  template <class... Arguments>
  auto operator()(const Arguments&... arguments) const {
    return cache_.get_or_compute(
        key(arguments...), [&] { return std::invoke(function_, arguments...); }, options_.entry);
  }
  // The key of a call with these arguments.
  template <class... Arguments>
  [[nodiscard]] Key key(const Arguments&... arguments) const {
    return Key(std::string_view(name_), options_.version, arguments...);
  }
  // Forgets the result for these arguments.
  template <class... Arguments>
  bool remove(const Arguments&... arguments) const {
    return cache_.remove(key(arguments...));
  }

 private:
  mutable Cache cache_;  // a handle: using it changes what it leads to, not this object
  std::string name_;
  mutable F function_;
  MemoizeOptions options_;
};

template <class F>
Memoized<std::decay_t<F>> Cache::memoize(std::string name, F&& function, MemoizeOptions options) {
  return {*this, std::move(name), std::forward<F>(function), std::move(options)};
}

}  // namespace larder
