// From options to the tiers that they ask for.
#include "cache/core.hpp"

namespace larder::detail {

namespace {

std::uint64_t random_number() {
  std::uint64_t number = 0;
  os::random_bytes(std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

}  // namespace

Result<os::Audience> audience_of(const std::string& shared) {
  if (shared.empty()) return os::Audience{};
  const std::string prefix = "group:";
  const std::string name = shared.starts_with(prefix) ? shared.substr(prefix.size()) : "";
  if (name.empty()) {
    return Error(Errc::invalid_option, "shared: `" + shared + "` names nobody",
                 "write group: and the name of a Unix group; nothing at all for a private store");
  }
  const std::optional<gid_t> group = os::group_named(name);
  if (!group) {
    return Error(Errc::invalid_option, "shared: there is no group `" + name + "`",
                 "name one that `getent group` lists, or make it: sudo groupadd " + name);
  }
  if (!os::in_group(*group)) {
    return Error(Errc::permission, "shared: this user is not in the group `" + name + "`",
                 "sudo usermod -aG " + name + " USER, then log in anew; or choose a store of your own");
  }
  return os::Audience{*group};
}

Core::Core(const Options& options)
    : generation(os::fork_generation()),
      write_(options.write),
      compression_(options.compression),
      on_event_(options.on_event),
      clock_(options.clock),
      random_(random_number()) {}

Result<std::unique_ptr<Core>> Core::open(const Options& options, const Result<os::Audience>& audience) {
  const Result<std::uint64_t> memory = options.memory.bytes(os::memory_bytes());
  if (!memory)
    return Error(memory.error().code(), std::string("memory: ") + memory.error().what(), memory.error().help());
  const Result<std::uint64_t> queue = options.queue.bytes(os::memory_bytes());
  if (!queue) return Error(queue.error().code(), std::string("queue: ") + queue.error().what(), queue.error().help());

  std::unique_ptr<Core> core(new Core(options));
  if (*memory != 0) {
    core->memory_ =
        std::make_unique<memory::MemoryTier>(memory::Limits{*memory, options.memory_entries.value_or(UINT64_MAX)});
    core->memory_limit_ = *memory;
  }

  store::StoreOptions store_options;
  store_options.directory = options.directory;
  store_options.verification = options.verification;
  store_options.durability = options.durability;
  store_options.counters = &core->counters_;
  store_options.on_event = options.on_event;
  store_options.clock = core->clock_;
  if (options.store) {
    std::uint64_t capacity = 0;
    // The directory may not exist yet: a percentage is of the file system of its nearest parent.
    std::filesystem::path place = store_options.directory;
    std::error_code ignored;
    while (!std::filesystem::exists(place, ignored) && place.has_parent_path() && place != place.parent_path()) {
      place = place.parent_path();
    }
    if (const Result<os::FileSystem> system = os::file_system(place)) capacity = system->bytes;
    const Result<std::uint64_t> limit = options.store->bytes(capacity);
    if (!limit) return Error(limit.error().code(), std::string("store: ") + limit.error().what(), limit.error().help());
    if (*limit == 0) {
      core->local_tags_ = std::make_unique<LocalTags>();
      return core;
    }
    store_options.limit = *limit;
  }

  if (store_options.directory.empty()) {
    return Error(Errc::invalid_option, "directory: there is no home directory to keep the store in",
                 "set LARDER_DIR or Options::directory; with Options::store = 0 there is no store");
  }
  try {
    Result<std::unique_ptr<store::Store>> store = [&]() -> Result<std::unique_ptr<store::Store>> {
      if (!audience) return audience.error();
      store_options.audience = *audience;
      return store::Store::open(store_options);
    }();
    if (store) {
      core->store_ = *std::move(store);
      core->flights_.share_through(core->store_->directory().string());
      core->write_back_ =
          std::make_unique<WriteBack>(*core->store_, core->counters_, *queue, [core = core.get()] { core->tick(); });
      return core;
    }
    switch (const Error& error = store.error(); error.code()) {
      case Errc::permission:
        core->degrade(Counter::fault_permission, error);
        return core;
      case Errc::no_space:
        core->degrade(Counter::fault_no_space, error);
        return core;
      case Errc::io:
      case Errc::exhausted:
      case Errc::not_found:
        core->degrade(Counter::fault_io, error);
        return core;
      default:
        return error;
    }
  } catch (const std::exception& refused) {
    core->degrade(Counter::fault_other, Error(Errc::io, refused.what()));  // no thread or no memory to be had
    return core;
  }
}

void Core::degrade(Counter reason, const Error& why) {
  write_back_.reset();
  store_.reset();
  local_tags_ = std::make_unique<LocalTags>();
  degraded_ = why;
  counters_.add(reason);
  const std::string cure = why.help().empty() ? "" : " (help: " + why.help() + ")";
  if (on_event_) on_event_({reason, std::string("the store is not used: ") + why.what() + cure});
}

Core::~Core() {
  refresher_.end();     // what it computes goes the usual way
  write_back_.reset();  // writes what still waits
  if (store_) {
    count_memory();
    counters_.share(store_->shared_counters());
  }
}

void Core::tick() {
  count_memory();
  counters_.share(store_->shared_counters());
  store_->maintain();
}

}  // namespace larder::detail
