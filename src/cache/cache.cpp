// The public face: everything here forwards to the core of the calling process.
#include <larder/cache.hpp>

#include <cstdlib>

#include "cache/engine.hpp"

namespace larder {

namespace detail {

Obligation::Obligation(std::shared_ptr<Engine> engine, std::shared_ptr<Flight> flight)
    : engine_(std::move(engine)), flight_(std::move(flight)), generation_(os::fork_generation()) {}

Obligation::~Obligation() {
  fail(nullptr);
}

Obligation::Obligation(Obligation&&) noexcept = default;

Obligation& Obligation::operator=(Obligation&& other) noexcept {
  if (this != &other) {
    fail(nullptr);
    engine_ = std::move(other.engine_);
    flight_ = std::move(other.flight_);
    generation_ = other.generation_;
  }
  return *this;
}

Answer Obligation::fulfil(Value value, const Type& type, const EntryOptions& options) {
  const std::shared_ptr<Flight> flight = std::exchange(flight_, nullptr);
  Core& core = engine_->core();
  if (generation_ == core.generation) return core.fulfil(*flight, value, type, options);
  // A forked child: the flight is the parent's, the value is good.
  const bool negative = *type.id == typeid(NoAnswer);
  if (!negative) core.put(flight->key, value, type, options, flight->begun);
  return {std::move(value), Tier::computed, std::chrono::nanoseconds(0), std::chrono::nanoseconds(0), negative};
}

void Obligation::fail(std::exception_ptr reason) noexcept {
  const std::shared_ptr<Flight> flight = std::exchange(flight_, nullptr);
  // In a forked child the flight is the parent's.
  if (flight != nullptr && generation_ == os::fork_generation()) engine_->core().fail(*flight, std::move(reason));
}

Answer Obligation::fail_over(const std::exception_ptr& reason) noexcept {
  const std::shared_ptr<Flight> flight = std::exchange(flight_, nullptr);
  if (flight == nullptr || generation_ != os::fork_generation()) return {};
  return engine_->core().fail_over(*flight, reason);
}

void check_text(const EntryOptions& options) {
  resolve(options);
}

}  // namespace detail

Result<Cache> Cache::open(const Options& options) {
  // A forked child opens the same place, wherever it has changed its working directory to.
  Options resolved = options;
  if (resolved.directory.empty()) {
    resolved.directory = default_directory();
    if (resolved.shared.empty()) resolved.shared = default_shared();
  }
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(resolved.directory, failed);
  if (!failed && !resolved.directory.empty()) resolved.directory = absolute;
  const Result<os::Audience> audience = detail::audience_of(resolved.shared);
  Result<std::unique_ptr<detail::Core>> core = detail::Core::open(resolved, audience);
  if (!core) return core.error();
  return Cache(std::make_shared<detail::Engine>(resolved, audience, *std::move(core)));
}

detail::Answer Cache::get_erased(const Key& key, const detail::Type& type) {
  return engine_->core().get(key, type);
}

PutOutcome Cache::put_erased(const Key& key, const detail::Value& value, const detail::Type& type,
                             const EntryOptions& options) {
  return engine_->core().put(key, value, type, options);
}

detail::Claimed Cache::claim_erased(const Key& key, const detail::Type& type, const EntryOptions* options,
                                    detail::Takes takes) {
  detail::Windows windows = options == nullptr ? detail::Windows() : detail::windows_of(*options);
  windows.negative = takes.negative;
  detail::Core::Claim claim = engine_->core().claim(key, type, windows, takes.later);
  detail::Claimed claimed;
  if (claim.answer) {
    claimed.answer = std::move(claim.answer);
    claimed.due = claim.due;
  } else {
    claimed.obligation.emplace(engine_, std::move(claim.flight));
  }
  return claimed;
}

void Cache::refresh_erased(const Key& key, detail::Later computation) {
  engine_->core().refresh_later(key, std::move(computation));
}

bool Cache::contains(const Key& key) {
  return engine_->core().entry(key).has_value();
}
std::optional<EntryInfo> Cache::entry(const Key& key) {
  return engine_->core().entry(key);
}
bool Cache::remove(const Key& key) {
  return engine_->core().remove(key);
}
void Cache::invalidate(std::string_view tag) {
  engine_->core().invalidate(tag);
}
void Cache::clear() {
  engine_->core().clear();
}
std::vector<EntryInfo> Cache::entries() {
  return engine_->core().entries();
}
Stats Cache::stats() const {
  return engine_->core().stats();
}
Stats Cache::shared_stats() const {
  return engine_->core().shared_stats();
}
void Cache::flush() {
  engine_->core().flush();
}
std::filesystem::path Cache::directory() const {
  return engine_->core().directory();
}

std::filesystem::path default_directory() {
  const auto from = [](const char* variable) -> std::filesystem::path {
    const char* value = std::getenv(variable);
    return value == nullptr ? "" : value;
  };
  if (auto directory = from("LARDER_DIR"); !directory.empty()) return directory;
  // A relative XDG_CACHE_HOME is to be ignored, says its specification.
  if (const auto cache = from("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "larder" / "default";
  const std::filesystem::path home = os::home_directory();
  return home.is_absolute() ? home / ".cache" / "larder" / "default" : std::filesystem::path();
}

std::string default_shared() {
  const char* value = std::getenv("LARDER_SHARED");
  return value == nullptr ? "" : value;
}

}  // namespace larder
