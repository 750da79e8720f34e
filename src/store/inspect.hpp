// Inspection: what stands in the files of a store, for `larder verify` and for tests.
//
// Takes no lock and may run beside processes that use the store: segments that vanish meanwhile are skipped. It
// reads, and changes one thing: where a value is damaged, or could not be reached, the slots that lead to it do not
// say any more that it was verified, one atomic each. So lookups, which check what they map once a boot, check it
// again and miss; and the keys of damaged values are outdated, for those who remember them. A store that may only be
// read is inspected too, without this.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <larder/digest.hpp>
#include <larder/result.hpp>

#include "store/pins.hpp"

namespace larder::store {

// Damage by which something is lost, now or after a restart.
struct Damage {
  enum class Of : std::uint8_t {
    value,    // of one record: its entry is lost
    rest,     // of a segment, from `offset` on: what slots lead to there may be whole, but a restart loses it
    segment,  // it cannot be read at all
    journal,
  };
  Of of;
  std::string file;
  std::uint64_t offset = 0;
  std::string what;
  std::string key = {};                    // its text, where it can be read
  std::uint64_t segment = 0;               // its id; 0 for the journal
  std::uint64_t sequence = 0;              // of the record
  std::optional<Digest> fingerprint = {};  // of the record
};

struct SegmentInfo {
  std::string file;
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;  // charged against the limit
  std::uint64_t records = 0;
  bool sealed = false;
};

struct Verified {
  std::uint64_t records = 0;          // that were read, damaged ones included
  std::uint64_t damaged_records = 0;  // of these; what else is damaged is no record any more
  std::uint64_t bytes = 0;            // of all records that were read
  std::vector<SegmentInfo> segments;
  std::vector<Damage> damaged;
  std::uint64_t harmless = 0;  // places that are damaged, but nothing is looked for there any more
  std::string unmarked;        // why lookups could not be told of damage; empty if they were, or there is none
};

// Reads every record of the store and checks every byte of it; lookups miss what is damaged. `progress` is called with
// the bytes done and the bytes to do, several times a segment; it may be empty. Fails if there is no store, or none of
// a known format.
Result<Verified> verify(const std::filesystem::path& directory,
                        const std::function<void(std::uint64_t done, std::uint64_t all)>& progress = {});

// Which processes map segments of the store. Fails as verify() does.
Result<Holders> holders(const std::filesystem::path& directory);

// How full the parts of a store are, and what lies about in it.
struct Survey {
  std::uint64_t slots = 0;      // of the index
  std::uint64_t slots_max = 0;  // to which it may grow
  std::uint64_t slots_taken = 0;
  std::uint64_t journal_places = 0;
  std::uint64_t journal_taken = 0;
  std::uint64_t lock_files_missing = 0;
  std::vector<std::string> strays;  // files in `seg` that belong to nothing, half made ones among them
};
// Fails as verify() does.
Result<Survey> survey(const std::filesystem::path& directory);

// What contradicts itself in the control file and the index, one line each; nothing if all is well. Slots
// may contradict segments while the store is in use. Fails as verify() does.
Result<std::vector<std::string>> check(const std::filesystem::path& directory);
// Of these what does not depend on the index.
Result<std::vector<std::string>> check_table(const std::filesystem::path& directory);

}  // namespace larder::store
