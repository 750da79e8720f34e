// What is demanded of the memory tier on traces: here, and nowhere else, is said what falls short.
//
// Each cell is judged by the part of the costs that was saved, which under the model `unit` is the hit ratio.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "row.hpp"

namespace bench {

enum class Bound : std::uint8_t { at_least, at_most };

struct Demand {
  std::string mark;  // in a word or two
  std::string what;
  double reached = 0;
  Bound bound = Bound::at_least;
  double limit = 0;
  std::vector<std::pair<std::string, double>> beside;  // the same figure of others

  // At most 0 if it does not fall short.
  [[nodiscard]] double short_by() const { return bound == Bound::at_least ? limit - reached : reached - limit; }
  [[nodiscard]] bool falls_short() const { return short_by() > 0; }
};

// How far Two-Gate is behind the best practical policy; 0 if it is ahead.
[[nodiscard]] double behind_best(const Row& row);

// Of a cell.
[[nodiscard]] std::vector<Demand> demands(const Row& row);
// Of the means over all traces. Those that nothing was measured for are left out.
[[nodiscard]] std::vector<Demand> demands(const std::vector<Row>& rows);

// Whether there is so much of the cell that what a policy reaches is no matter of chance.
[[nodiscard]] bool is_large(const Row& row);

}  // namespace bench
