// The version of the library and of what it writes to disk.
#pragma once

// Marks what a shared build of the library exports; everything else stays hidden.
#define LARDER_API __attribute__((visibility("default")))

namespace larder {

inline constexpr int k_version_major = 0;
inline constexpr int k_version_minor = 1;
inline constexpr int k_version_patch = 0;
inline constexpr const char* k_version_text = "0.1.0";

}  // namespace larder
