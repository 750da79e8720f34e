// What experiments do with a peer, whichever it is.
#pragma once

#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/timing.hpp"
#include "peers/peer.hpp"

namespace bench {

// Puts the records from `first` on.
template <class P>
void fill(P& peer, const Setup& setup, std::uint64_t first = 0) {
  std::vector<std::byte> value(setup.value_bytes);
  for (std::uint64_t i = first; i < setup.records; ++i) {
    fill_value(value, i);
    peer.put(Key(i), value);
  }
}

// Gets a record; throws if the answer is wrong or missing.
template <class P>
void look(P& peer, How how, const Lookup& lookup, std::uint64_t bytes) {
  if (!peer.get(lookup.key, how, [&](Bytes value) { expect_value(value, bytes, lookup.number); })) {
    throw std::runtime_error(std::string(P::k_name) + " lost a record");
  }
}

// Microseconds from opening a store that exists to the first value got from it.
template <class P>
[[nodiscard]] std::vector<double> time_open(const std::filesystem::path& directory, const Setup& setup) {
  const std::uint64_t number = setup.records / 2;
  const Lookup lookup{Key(number), number};
  const std::int64_t start = now_ns();
  P peer(directory, setup);
  look(peer, How::copy, lookup, setup.value_bytes);
  return {static_cast<double>(now_ns() - start) / 1e3};
}

}  // namespace bench
