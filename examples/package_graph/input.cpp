#include "input.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

namespace package_graph {
namespace {

namespace fs = std::filesystem;

std::string decompressed(const fs::path& file) {
  const std::string name = file.string();
  if (name.find('\'') != std::string::npos) throw std::runtime_error("cannot quote the file name " + name);
  const std::string command = "/usr/lib/apt/apt-helper cat-file '" + name + "'";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);

  std::string text;
  std::vector<char> buffer(1 << 20);
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), count);
  if (pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return text;
}

}  // namespace

std::vector<fs::path> default_files() {
  std::vector<fs::path> files;
  std::error_code ignored;  // no lists: apt-get update has never run here
  for (const auto& entry : fs::directory_iterator("/var/lib/apt/lists", ignored)) {
    // deb.debian.org_…_Packages, or the same with .lz4, .xz or .gz behind
    if (entry.path().filename().replace_extension().string().ends_with("_Packages") ||
        entry.path().filename().string().ends_with("_Packages")) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  files.emplace_back("/var/lib/dpkg/status");
  return files;
}

std::string read_list(const fs::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".lz4" || extension == ".xz" || extension == ".gz") return decompressed(file);
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  return text;
}

}  // namespace package_graph
