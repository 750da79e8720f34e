// Which sanitizer a test runs under: some of what tests look at is the sanitizer's, not larder's.
#pragma once

namespace larder::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool k_address_sanitizer = true;
#else
inline constexpr bool k_address_sanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__)
inline constexpr bool k_thread_sanitizer = true;
#else
inline constexpr bool k_thread_sanitizer = false;
#endif

// Why a test is skipped that goes on in a forked child of a process with several threads.
inline constexpr const char* k_no_threads_in_child = "the thread sanitizer starts no threads in a child of several";

}  // namespace larder::test
