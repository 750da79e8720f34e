// All peers on disk, larder first: the order in which they run.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "peers/files.hpp"
#include "peers/larder.hpp"
#include "peers/lmdb.hpp"
#include "peers/rocksdb.hpp"
#include "peers/sqlite.hpp"

namespace bench {

template <class P>
inline constexpr bool is_larder = std::is_same_v<P, Larder>;

// Calls visit(std::type_identity<P>{}) for each peer P.
template <class Visit>
void for_each_peer(Visit&& visit) {
  const auto one = [&]<Peer P>(std::type_identity<P> peer) { visit(peer); };
  one(std::type_identity<Larder>{});
  one(std::type_identity<Lmdb>{});
  one(std::type_identity<RocksDb>{});
  one(std::type_identity<Sqlite>{});
  one(std::type_identity<Files>{});
}

// Names and configurations, for the report.
[[nodiscard]] inline std::vector<std::pair<std::string, std::string>> peer_configurations() {
  std::vector<std::pair<std::string, std::string>> result;
  for_each_peer([&]<class P>(std::type_identity<P>) {
    result.emplace_back("peer " + std::string(P::k_name), P::configuration());
  });
  return result;
}

}  // namespace bench
