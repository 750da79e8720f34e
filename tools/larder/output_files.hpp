// The files that a command writes: read after it ran, written again when its result is replayed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <larder/result.hpp>

#include "recording.hpp"

namespace larder::tool {

// Remembers how the named files were before a command ran: one that it did not touch is not its result, and keeping
// it would tie the result to whatever was there before.
class OutputFiles {
 public:
  explicit OutputFiles(const std::vector<std::string>& paths);

  // A file of which some bytes were recorded.
  struct Recorded {
    std::string path;
    std::uint64_t bytes;
  };
  // Records what the command made of them. Fails, naming the file, if one is missing, is no regular file, was not
  // written since construction, or if they exceed `bytes_max` together.
  [[nodiscard]] Result<std::vector<Recorded>> record(Recording& recording, std::uint64_t bytes_max) const;
  [[nodiscard]] std::size_t count() const noexcept { return before_.size(); }

 private:
  struct Before {
    std::string path;
    bool existed;
    std::uint64_t device, inode, size;
    std::int64_t modified_ns, changed_ns;
    bool operator==(const Before&) const = default;
  };
  static Before look(const std::string& path);

  std::vector<Before> before_;
};

// The paths in order, each file once: `x` and `./x` are one. Asks no disk, so the names of one directory that links
// lead to stay several.
[[nodiscard]] std::vector<std::string> distinct_outputs(std::vector<std::string> paths);

// Writes the file so that readers see all of it or what was there before. Makes missing directories. A symbolic link
// stays one: the file that it leads to is written.
Result<void> restore(const std::string& path, std::uint32_t mode, std::string_view bytes);

}  // namespace larder::tool
