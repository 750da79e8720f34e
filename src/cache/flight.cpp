#include "cache/flight.hpp"

#include <atomic>

#include "os/os.hpp"

namespace larder::detail {

namespace {

// The one T of this process. A forked child gets a new one: the parent's may be locked for ever there, and what it says
// is about threads that the child does not have. Never destroyed: caches may have static storage.
template <class T>
T& of_this_process() {
  struct Owned {
    const std::uint64_t generation = os::fork_generation();
    T object;
  };
  static std::atomic<Owned*> current{nullptr};
  Owned* now = current.load(std::memory_order_acquire);
  while (now == nullptr || now->generation != os::fork_generation()) {
    auto fresh = std::make_unique<Owned>();
    if (current.compare_exchange_strong(now, fresh.get(), std::memory_order_acq_rel)) now = fresh.release();
  }
  return now->object;
}

// Which flight each waiting thread waits for. Process-wide, so that a cycle through two caches is found.
struct WaitGraph {
  base::Mutex mutex;
  std::unordered_map<ThreadNumber, const Flight*> waits_for;
};

WaitGraph& wait_graph() {
  return of_this_process<WaitGraph>();
}

// Registers that this thread waits for `flight`, for as long as it lives.
class Waiting {
 public:
  explicit Waiting(const Flight& flight) {
    WaitGraph& graph = wait_graph();
    const std::lock_guard lock(graph.mutex);
    const ThreadNumber self = this_thread_number();
    std::string path = flight.key.short_text();
    const Flight* next = &flight;
    // A flight that has ended holds nobody up, whether or not those who waited for it have woken yet.
    while (next->running()) {
      if (next->leader == self) throw_cycle(flight.key, path);
      const auto waits = graph.waits_for.find(next->leader);
      if (waits == graph.waits_for.end()) break;
      next = waits->second;
      path += " -> " + next->key.short_text();
    }
    graph.waits_for.emplace(self, &flight);
  }
  ~Waiting() {
    WaitGraph& graph = wait_graph();
    const std::lock_guard lock(graph.mutex);
    graph.waits_for.erase(this_thread_number());
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

}  // namespace

void throw_cycle(const Key& key, const std::string& path) {
  throw Error(Errc::cycle, "the computation of " + key.short_text() + " waits for itself: " + path,
              "break the cycle: a computation must not ask for a key whose computation asks for its own");
}

ThreadNumber this_thread_number() noexcept {
  static std::atomic<ThreadNumber> next{1};
  thread_local const ThreadNumber number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

void Flight::hold(store::Lease lease) {
  unless_overtaken([&] {
    const std::lock_guard lock(mutex_);
    lease_ = std::move(lease);
  });
}

void Flight::overtake() {
  {
    const std::lock_guard lock(keeping_);
    overtaken_ = true;
  }
  take_lease().release();
}

store::Lease Flight::take_lease() {
  const std::lock_guard lock(mutex_);
  return std::move(lease_);
}

FlightTable::Joined FlightTable::join(const Key& key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (const auto running = shard.flights.find(key); running != shard.flights.end()) return {running->second, false};
  auto flight = std::make_shared<Flight>(key, this_thread_number());
  shard.flights.emplace(key, flight);
  return {std::move(flight), true};
}

namespace {

// The tables of this process that share a store with others.
struct SharedTables {
  base::Mutex mutex;
  std::vector<FlightTable*> tables;
};

SharedTables& shared_tables() {
  return of_this_process<SharedTables>();
}

}  // namespace

void FlightTable::share_through(const std::string& store) {
  store_ = store;
  SharedTables& shared = shared_tables();
  const std::lock_guard lock(shared.mutex);
  shared.tables.push_back(this);
}

FlightTable::~FlightTable() {
  if (store_.empty()) return;
  SharedTables& shared = shared_tables();
  const std::lock_guard lock(shared.mutex);
  std::erase(shared.tables, this);
}

std::vector<Key> FlightTable::led_by_this_thread(const Flight* except) {
  std::vector<Key> keys;
  SharedTables& shared = shared_tables();
  const std::lock_guard lock(shared.mutex);
  for (FlightTable* table : shared.tables) {
    if (table->store_ == store_) table->collect_led(this_thread_number(), except, keys);
  }
  return keys;
}

void FlightTable::collect_led(ThreadNumber thread, const Flight* except, std::vector<Key>& keys) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [key, flight] : shard.flights) {
      if (flight->leader == thread && flight.get() != except) keys.push_back(key);
    }
  }
}

void FlightTable::overtake(const Key& key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto running = shard.flights.find(key);
  if (running == shard.flights.end()) return;
  running->second->overtake();
  shard.flights.erase(running);
}

void FlightTable::overtake_all() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [key, flight] : shard.flights) flight->overtake();
    shard.flights.clear();
  }
}

const Flight::Landing& FlightTable::wait(Flight& flight) {
  const Waiting waiting(flight);
  std::unique_lock lock(flight.mutex_);
  flight.landed_.wait(lock, [&] { return !flight.running_; });
  return flight.landing_;
}

void FlightTable::end(Flight& flight, Flight::Landing landing) {
  Shard& shard = shard_of(flight.key);
  {
    const std::lock_guard lock(shard.mutex);
    const auto position = shard.flights.find(flight.key);
    if (position != shard.flights.end() && position->second.get() == &flight) shard.flights.erase(position);
  }
  {
    const std::lock_guard lock(flight.mutex_);
    flight.landing_ = std::move(landing);
    flight.running_ = false;
  }
  flight.landed_.notify_all();
}

}  // namespace larder::detail
