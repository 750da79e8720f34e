// What a contender for the disk looks like: one class for each peer, in a header of its own, all alike.
//
//   P(directory, setup)               opens the store in the directory, making it if it is missing
//   put(key, value)                   stores a value, replacing what the key had
//   get(key, how, read) -> bool       calls read(bytes) with the value; false if there is none. The bytes are
//                                     valid until `read` returns. What has to be freed is freed before get returns.
//   ~P()                              closes, everything written
//   finish()                          what a user does once after loading much, for quick reads; called by who fills
//   k_name                            the name by which a child process finds the class
//   accesses()                        the ways in which get() hands the value out
//   configuration()                   how it was configured, and what it verifies, for the report
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "harness/workload.hpp"

namespace bench {

enum class How {
  view,  // in place, without a copy where the peer can
  copy,  // in memory of its own that the caller may keep
};

struct Access {
  How how;
  std::string label;
};

enum class Purpose {
  speed,          // nothing need survive a crash of the process
  survive_kill,   // what was put survives SIGKILL
  survive_power,  // what was put survives a loss of power
  read,           // by one of several processes, none of which writes
};

struct Setup {
  std::uint64_t value_bytes;
  std::uint64_t records;
  Purpose purpose = Purpose::speed;

  [[nodiscard]] std::uint64_t payload_bytes() const { return value_bytes * records; }
};

// Memory for a value that is copied out, not zeroed first: nobody would.
[[nodiscard]] inline std::unique_ptr<std::byte[]> buffer(std::size_t bytes) {
  return std::make_unique_for_overwrite<std::byte[]>(bytes);
}

template <class P>
concept Peer = requires(P peer, const std::filesystem::path& directory, const Setup& setup, const Key& key, Bytes value,
                        How how, void (*read)(Bytes)) {
  P(directory, setup);
  peer.put(key, value);
  { peer.get(key, how, read) } -> std::same_as<bool>;
  peer.finish();
  { P::accesses() } -> std::same_as<std::vector<Access>>;
  { P::configuration() } -> std::same_as<std::string>;
};

}  // namespace bench
