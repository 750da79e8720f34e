// The experiments, and what they share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/child.hpp"
#include "harness/program.hpp"
#include "harness/scratch.hpp"
#include "peers/peers.hpp"

namespace bench {

// The sizes of small and middling values, fewer records with --quick, more with --large.
[[nodiscard]] std::vector<SizeClass> size_classes(const Options& options);
// The one huge value: 1 GiB, with --quick 64 MiB.
[[nodiscard]] SizeClass huge_class(const Options& options);

void memory_hit(Bench& bench);
void store_hit(Bench& bench);
void store_hit_huge(Bench& bench);
void put(Bench& bench);
void reopen(Bench& bench);

// --- roles of child processes; see children.cpp ---

// Fills a peer's store: arguments for a Child that ends when it has closed the store.
[[nodiscard]] std::vector<std::string> fill_role(const std::string& peer, const std::filesystem::path& directory,
                                                 const Setup& setup);
// The same, but prints "full" instead of closing, and waits to be killed.
[[nodiscard]] std::vector<std::string> fill_and_wait_role(const std::string& peer,
                                                          const std::filesystem::path& directory, const Setup& setup);
// Gets value 0 and holds it; prints what Held parses; on a line of input prints its Pss in KiB; on another ends.
[[nodiscard]] std::vector<std::string> hold_role(const std::string& peer, const std::filesystem::path& directory,
                                                 const Setup& setup, How how);
struct Held {
  double first_byte_us;      // from the call of get to the first byte read
  double every_byte_ms;      // from the call of get to the last byte read
  double private_first_mib;  // growth of anonymous memory from before get to after the first byte
  double private_every_mib;  // the same, after every byte was read
};
[[nodiscard]] Held parse_held(const std::string& line);

// Plays the role that fill_role and the like describe. Returns the exit code.
int play_role(const std::vector<std::string>& arguments);

}  // namespace bench
