#include "store/waits.hpp"

#include <algorithm>

namespace larder::store {

namespace {

std::uint64_t number_of(const Key& key) noexcept {
  return key.fingerprint().low;
}

}  // namespace

std::vector<std::size_t> Waits::put(std::span<const Key> led, const Key& awaited) {
  std::vector<std::size_t> places;
  const std::lock_guard lock(mutex_);
  for (std::size_t place = 0; place < mine_.size() && places.size() < led.size(); ++place) {
    if (mine_[place]) continue;
    const Result<bool> locked = lock_of(place).file().try_lock(k_lock_waits + place);
    if (!locked || !*locked) continue;
    mine_[place] = true;
    Edge& edge = edges()[place];
    edge.awaited.store(number_of(awaited));
    edge.led.store(number_of(led[places.size()]));
    places.push_back(place);
  }
  return places;
}

void Waits::take_out(std::span<const std::size_t> places) noexcept {
  const std::lock_guard lock(mutex_);
  for (const std::size_t place : places) {
    edges()[place].led.store(0);
    mine_[place] = false;
    lock_of(place).unlock(k_lock_waits + place);
  }
}

bool Waits::believed(std::size_t place) const {
  {
    const std::lock_guard lock(mutex_);
    if (mine_[place]) return true;
  }
  return lock_of(place).file().held_elsewhere(k_lock_waits + place);
}

bool Waits::closes_circle(std::span<const Key> led, const Key& awaited) const {
  std::vector<std::uint64_t> reached = {number_of(awaited)};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if (std::ranges::any_of(led, [&](const Key& key) { return number_of(key) == reached[i]; })) return true;
    for (std::size_t place = 0; place < k_waits_places; ++place) {
      const Edge& edge = edges()[place];
      if (edge.led.load() != reached[i]) continue;
      const std::uint64_t next = edge.awaited.load();
      if (std::ranges::find(reached, next) == reached.end() && believed(place)) reached.push_back(next);
    }
  }
  return false;
}

}  // namespace larder::store
