// Medians and spread of a few readings.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace bench {

// The q-quantile (nearest rank). REQUIRES: at least one sample.
template <class T>
[[nodiscard]] T quantile(std::vector<T> samples, double q) {
  if (samples.empty()) throw std::logic_error("a quantile of nothing");
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(samples.size())));
  const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::ranges::nth_element(samples, nth);
  return *nth;
}

struct Summary {
  double median;
  double min;
  double max;
};

// The median of an even number of readings is the mean of the middle two.
[[nodiscard]] inline Summary summarize(std::vector<double> readings) {
  if (readings.empty()) throw std::logic_error("a summary of nothing");
  std::ranges::sort(readings);
  const std::size_t half = readings.size() / 2;
  const double median = readings.size() % 2 == 1 ? readings[half] : (readings[half - 1] + readings[half]) / 2;
  return {median, readings.front(), readings.back()};
}

// Reading by reading: both were taken in the same round, so a disturbance that lasts longer than a round cancels out.
[[nodiscard]] inline std::vector<double> ratios(const std::vector<double>& numerators,
                                                const std::vector<double>& denominators) {
  std::vector<double> result;
  for (std::size_t i = 0; i < std::min(numerators.size(), denominators.size()); ++i) {
    result.push_back(numerators[i] / denominators[i]);
  }
  return result;
}

}  // namespace bench
