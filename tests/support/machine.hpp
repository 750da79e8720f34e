// What a test asks of the machine: room that is fast, and a restart.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "os/os.hpp"
#include "store/control.hpp"

namespace larder::test {

// Where files cost no disk's time: for tests that make thousands of stores and of which no disk is what is tested.
inline std::filesystem::path fast_directory() {
  const std::filesystem::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

// What a restart of the machine does to the store in the directory, if there is one: the boot is another one. Nobody
// has the store open.
inline void restart(const std::filesystem::path& directory) {
  const std::filesystem::path control = store::Paths{directory}.control();
  std::error_code missing;
  const std::uintmax_t size = std::filesystem::file_size(control, missing);
  if (missing || size < offsetof(store::ControlPage, boot_id) + sizeof(store::Uuid)) return;
  std::fstream file(control, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offsetof(store::ControlPage, boot_id));
  file.put(static_cast<char>(~std::to_integer<unsigned>(os::boot_id()[0])));
  if (!file.flush()) throw std::runtime_error("restart: " + control.string());
}

}  // namespace larder::test
