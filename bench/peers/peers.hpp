// All peers on disk, larder first: those of the micro benchmarks, and the variants of them that bench/store adds.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "peers/files.hpp"
#include "peers/larder.hpp"
#include "peers/lmdb.hpp"
#include "peers/plain_write.hpp"
#include "peers/rocksdb.hpp"
#include "peers/sqlite.hpp"

namespace bench {

template <class P>
inline constexpr bool is_larder = std::is_same_v<P, Larder>;

// Calls visit(std::type_identity<P>{}) for each of the peers.
template <Peer... Ps, class Visit>
void for_each_of(Visit&& visit) {
  (visit(std::type_identity<Ps>{}), ...);
}

template <class Visit>
void for_each_peer(Visit&& visit) {
  for_each_of<Larder, Lmdb, RocksDb, Sqlite, Files>(visit);
}

template <class Visit>
void for_each_store_peer(Visit&& visit) {
  for_each_of<Larder, LarderWriteBack, Lmdb, LmdbSynced, RocksDbPoints, RocksDbBlobs, Sqlite, Files, PlainWrite>(visit);
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
