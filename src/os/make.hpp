// How this room makes files and directories: beside their place, under a name that nobody asks for, and once they are
// complete under their own. Private to the room.
#pragma once

#include "os/os.hpp"

namespace larder::os {

// For chown(2).
inline constexpr uid_t k_keep_owner = static_cast<uid_t>(-1);

// A name beside `path` for what is half made.
[[nodiscard]] std::string half_made_beside(const std::string& path);

// Gives a file or directory that is complete its name. An errno: EEXIST if the name is taken. What has it is left as it
// is; the half made one is gone afterwards.
[[nodiscard]] int give_name(const std::string& half_made, const std::string& path) noexcept;

}  // namespace larder::os
