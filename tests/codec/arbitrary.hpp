// Generators that rapidcheck lacks.
#pragma once

#include <optional>

#include <rapidcheck.h>

namespace rc {

template <class T>
struct Arbitrary<std::optional<T>> {
  static Gen<std::optional<T>> arbitrary() {
    return gen::map(gen::pair(gen::arbitrary<bool>(), gen::arbitrary<T>()), [](std::pair<bool, T> drawn) {
      return drawn.first ? std::optional<T>(std::move(drawn.second)) : std::nullopt;
    });
  }
};

}  // namespace rc
