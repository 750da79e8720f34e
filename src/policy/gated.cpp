#include "policy/gated.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <utility>

namespace larder::policy {

namespace {

// As a table: it is asked for often, and std::ldexp() has to care for what does not occur here.
constexpr auto k_powers_of_two = [] {
  std::array<double, Gated::k_densities> powers{};
  double power = 1;
  for (int below = Gated::k_density_log2_min; below < 0; ++below) power /= 2;
  for (double& each : powers) each = std::exchange(power, power * 2);
  return powers;
}();

// REQUIRES: positive.
int nearest_log2(double number) {
  int exponent = 0;
  return std::frexp(number, &exponent) < std::numbers::sqrt2 / 2 ? exponent - 1 : exponent;
}

}  // namespace

Gated::Gated(Entries& entries, std::uint64_t capacity, Gate gate)
    : entries_(entries), capacity_(capacity), gate_(gate) {}

void Gated::fit(EntryId id) {
  if (nodes_.size() <= id) nodes_.resize(std::size_t{id} + 1);
  queues_.fit(id);
  sketch_.fit(size_ + 1);
}

void Gated::insert(EntryId id) noexcept {
  const Traits traits = entries_.traits(id);
  ++size_;
  sketch_.add(traits.fingerprint, 1);
  weight_ += traits.weight;
  window_weight_ += traits.weight;
  nodes_[id].queue = k_window;
  queues_.push(k_window, id);
  while (window_weight_ > window_max()) {
    const EntryId oldest = queues_.oldest(k_window);
    unqueue(oldest);
    settle(oldest, false);
  }
  while (full() && evict()) continue;
}

void Gated::erase(EntryId id) noexcept {
  unqueue(id);
  weight_ -= entries_.traits(id).weight;
  --size_;
}

bool Gated::evict() noexcept {
  // If something else than the capacity limits the container, what is in is all that it takes, and the window a part of
  // that: what is too much for it moves on, and the last of these at the cost of another.
  while (window_weight_ > weight_ / k_window_part) {
    const EntryId oldest = queues_.oldest(k_window);
    unqueue(oldest);
    const bool last = window_weight_ <= weight_ / k_window_part;
    settle(oldest, last);
    if (last) return true;
  }
  if (const std::optional<Victim> next = victim()) {
    evict(*next);
    return true;
  }
  const EntryId id = queues_.oldest(k_window);
  if (id == Queues<1>::k_none) return false;
  unqueue(id);
  leave(id);
  return true;
}

void Gated::resize(std::uint64_t capacity) noexcept {
  capacity_ = capacity;
  while (full() && evict()) continue;
  sketch_.resized(size_);
}

double Gated::value(const Traits& traits, int less) const {
  return std::max(1, sketch_.estimate(traits.fingerprint) - less) * traits.cost;
}

void Gated::queue(EntryId id, const Traits& traits) {
  const double worth = gate_ == Gate::recent ? traits.cost : value(traits);
  const double density = worth / static_cast<double>(std::max<std::uint64_t>(traits.weight, 1));
  const auto to = static_cast<std::uint8_t>(std::clamp(nearest_log2(density) - k_density_log2_min, 0, k_last));
  nodes_[id] = {inflation_, to};
  queues_.push(to, id);
  filled_[to / 64] |= std::uint64_t{1} << to % 64;
}

void Gated::unqueue(EntryId id) {
  const std::uint8_t from = std::exchange(nodes_[id].queue, k_nowhere);
  queues_.erase(from, id);
  if (from == k_window) {
    window_weight_ -= entries_.traits(id).weight;
  } else if (queues_.empty(from)) {
    filled_[from / 64] &= ~(std::uint64_t{1} << from % 64);
  }
}

std::optional<Gated::Victim> Gated::victim() {
  while (true) {
    std::optional<Victim> least;
    for (std::size_t word = 0; word < filled_.size(); ++word) {
      for (std::uint64_t filled = filled_[word]; filled != 0; filled &= filled - 1) {
        const int queue = static_cast<int>(word * 64) + std::countr_zero(filled);
        const EntryId oldest = queues_.oldest(static_cast<std::size_t>(queue));
        const double priority = nodes_[oldest].inflation + k_powers_of_two[static_cast<std::size_t>(queue)];
        if (!least || priority < least->priority) least = Victim{oldest, priority};
      }
    }
    if (!least) return std::nullopt;
    const std::uint8_t hits = entries_.take_hits(least->id);
    if (hits == 0) return least;
    inflation_ = std::max(inflation_, least->priority);
    const Traits traits = entries_.traits(least->id);
    unqueue(least->id);
    sketch_.add(traits.fingerprint, hits);
    queue(least->id, traits);
  }
}

void Gated::leave(EntryId id) {
  weight_ -= entries_.traits(id).weight;
  --size_;
  entries_.leaves(id);
}

void Gated::evict(const Victim& victim) {
  inflation_ = std::max(inflation_, victim.priority);
  unqueue(victim.id);
  leave(victim.id);
}

void Gated::settle(EntryId id, bool crowded) {
  const Traits traits = entries_.traits(id);
  if (const std::uint8_t hits = entries_.take_hits(id); hits != 0) sketch_.add(traits.fingerprint, hits);
  const bool weighed = gate_ == Gate::shut || gate_ == Gate::narrow;
  const double mine = value(traits, gate_ == Gate::narrow ? 1 : 0);
  double displaced = 0;
  for (bool one_leaves = crowded; one_leaves || full(); one_leaves = false) {
    const std::optional<Victim> next = victim();
    if (weighed && next) displaced += value(entries_.traits(next->id));
    if (!next || (weighed && displaced >= mine)) return leave(id);
    evict(*next);
  }
  queue(id, traits);
}

void Gated::check(std::size_t entries) const {
  if (size_ != entries) throw std::logic_error("Gated: counts another number of entries than its container");
  std::size_t seen = 0;
  std::uint64_t weight = 0;
  for (std::size_t queue = 0; queue <= k_densities; ++queue) {
    seen += queues_.check(queue);
    std::uint64_t queued = 0;
    for (EntryId id = queues_.oldest(queue); id != Queues<1>::k_none; id = queues_.younger(id)) {
      if (nodes_[id].queue != queue) throw std::logic_error("Gated: an entry is in another queue than it says");
      queued += entries_.traits(id).weight;
    }
    const bool filled = queue < k_densities && (filled_[queue / 64] >> queue % 64 & 1) != 0;
    if (queue < k_densities && filled == queues_.empty(queue)) {
      throw std::logic_error("Gated: a queue is not known to be empty or filled");
    }
    if (queue == k_window && queued != window_weight_) throw std::logic_error("Gated: the window's weight is wrong");
    weight += queued;
  }
  if (seen != size_) throw std::logic_error("Gated: the queues lost an entry");
  if (weight != weight_) throw std::logic_error("Gated: the weights do not add up");
  if (weight_ > capacity_) throw std::logic_error("Gated: over the capacity");
}

}  // namespace larder::policy
