// Upkeep: what somebody does to a store by hand, with `larder verify --repair` and `larder compact`.
//
// Goes through an open Store, so it is safe beside processes that use it, and may be killed anywhere and done again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <larder/result.hpp>

#include "store/inspect.hpp"
#include "store/store.hpp"

namespace larder::store {

// What a repair found and what it did about it.
struct Repaired {
  Verified found;           // by the inspection that comes first
  bool begun_anew = false;  // the control file was damaged or gone: the store is empty now
  bool rebuilt = false;     // the segment table contradicted itself, and was made anew
  bool journal_renewed = false;
  std::vector<std::string> lost;     // the keys whose values were damaged; they are misses for good
  std::uint64_t lost_unnamed = 0;    // entries that led to bytes in which no key can be read any more
  std::uint64_t astray = 0;          // slots of the index that led nowhere, or to another key's record; nothing is lost
  std::uint64_t unreachable = 0;     // whole records that no slot led to: a restart does not bring them back now
  std::uint64_t segments_freed = 0;  // in which nothing was left
  std::uint64_t bytes_freed = 0;     // of these; their room comes back when nobody maps them any more
  std::vector<std::string> deleted;  // files that belonged to nothing
  std::vector<std::string> left;     // what is left to do, one sentence each

  // Whether there was anything to do.
  [[nodiscard]] bool sound() const noexcept {
    return !begun_anew && !rebuilt && found.damaged.empty() && astray == 0 && unreachable == 0 && deleted.empty() &&
           left.empty();
  }
};

// Inspects the store as verify() does, and makes good what can be made good:
//   - entries of damaged values are removed for good; so they are no misses that are found out again every time;
//   - slots of the index that lead nowhere or astray are cleared;
//   - whole records that no slot leads to (a slot was damaged) are noted as gone: who removed their keys since could
//   not
//     know of them, and a restart would bring them back;
//   - a damaged journal is made anew from what the index says;
//   - segments in which nothing is left, and files in `seg` that belong to nothing, are deleted.
// What is not understood is left alone, and told. Fails as verify() does, and if the store cannot be opened.
Result<Repaired> repair(const std::filesystem::path& directory,
                        const std::function<void(std::uint64_t done, std::uint64_t all)>& progress = {});

// What Store::compact() did, and what became of the room.
struct CompactedStore {
  Compacted done;
  Usage before;
  Usage after;
  Holders holders;  // because of whom some of it may not have come back yet
};
// Compacts the store in the directory. Fails as Store::open() does.
Result<CompactedStore> compact(const std::filesystem::path& directory,
                               const std::function<void(std::uint64_t done, std::uint64_t all)>& progress = {});

}  // namespace larder::store
