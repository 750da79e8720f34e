// First in, first out: several queues over one numbering of entries. An entry is in one queue at most, and can be taken
// out of its middle.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "policy/policy.hpp"

namespace larder::policy {

// Not thread-safe. Every operation is O(1).
template <std::size_t Count>
class Queues {
 public:
  static constexpr EntryId k_none = UINT32_MAX;

  // Makes room for the number. To be called before it is pushed for the first time.
  void fit(EntryId id) {
    if (links_.size() <= id) links_.resize(std::size_t{id} + 1);
  }
  void push(std::size_t queue, EntryId id) noexcept {
    End& end = ends_[queue];
    links_[id] = {k_none, end.youngest};
    (end.youngest == k_none ? end.oldest : links_[end.youngest].younger) = id;
    end.youngest = id;
  }
  void erase(std::size_t queue, EntryId id) noexcept {
    const Link link = links_[id];
    End& end = ends_[queue];
    (link.older == k_none ? end.oldest : links_[link.older].younger) = link.younger;
    (link.younger == k_none ? end.youngest : links_[link.younger].older) = link.older;
  }
  [[nodiscard]] EntryId oldest(std::size_t queue) const { return ends_[queue].oldest; }
  // REQUIRES: `id` is in a queue.
  [[nodiscard]] EntryId younger(EntryId id) const { return links_[id].younger; }
  [[nodiscard]] bool empty(std::size_t queue) const { return ends_[queue].oldest == k_none; }

  // How many entries are in the queue. Throws std::logic_error if it is not linked both ways.
  [[nodiscard]] std::size_t check(std::size_t queue) const {
    std::size_t seen = 0;
    EntryId last = k_none;
    for (EntryId id = ends_[queue].oldest; id != k_none; id = links_[id].younger) {
      if (links_[id].older != last || ++seen > links_.size()) {
        throw std::logic_error("Queues: a queue is not linked both ways");
      }
      last = id;
    }
    if (ends_[queue].youngest != last) throw std::logic_error("Queues: a queue lost its end");
    return seen;
  }

 private:
  struct Link {
    EntryId younger = k_none;
    EntryId older = k_none;
  };
  struct End {
    EntryId oldest = k_none;
    EntryId youngest = k_none;
  };

  std::array<End, Count> ends_;
  std::vector<Link> links_;
};

}  // namespace larder::policy
