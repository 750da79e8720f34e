// The files that are read: Debian's lists of packages.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace package_graph {

// What this machine knows of packages: apt's lists of everything that could be installed, where there are some,
// and dpkg's list of what is installed.
std::vector<std::filesystem::path> default_files();

// The text of a list, decompressed by apt's own helper if it is stored compressed. Throws std::runtime_error,
// naming the file, if it cannot be read.
std::string read_list(const std::filesystem::path& file);

}  // namespace package_graph
