// Inspection: what stands in the files of a store, for `larder verify` and for tests.
//
// Reads files only and takes no lock, so it may run beside processes that use the store: segments that
// vanish meanwhile are skipped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <larder/result.hpp>

namespace larder::store {

struct Damage {
  std::string file;
  std::uint64_t offset = 0;
  std::string what;
  std::string key;  // its text, where it can be read
};

struct SegmentInfo {
  std::string file;
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;    // charged against the limit
  std::uint64_t records = 0;  // values and tombstones
  bool sealed = false;
};

struct Verified {
  std::uint64_t records = 0;  // that are whole
  std::uint64_t bytes = 0;    // of all records that were read
  std::vector<SegmentInfo> segments;
  std::vector<Damage> damaged;
};

// Reads every record of the store and checks every byte of it. `progress` is called with the bytes done
// and the bytes to do, several times a segment; it may be empty. Fails if there is no store, or none of
// a known format.
Result<Verified> verify(const std::filesystem::path& directory,
                        const std::function<void(std::uint64_t done, std::uint64_t all)>& progress = {});

// What contradicts itself in the control file and the index, one line each; nothing if all is well. Slots
// may contradict segments while the store is in use. Fails as verify() does.
Result<std::vector<std::string>> check(const std::filesystem::path& directory);

}  // namespace larder::store
