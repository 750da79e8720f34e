// How the calls of this room ask the installed hooks. Private to the room.
#pragma once

#include "os/os.hpp"

namespace larder::os {

// An errno if the hooks refuse the call, else 0.
[[nodiscard]] int refused(Call call, const std::string& path);

}  // namespace larder::os
