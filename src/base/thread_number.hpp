// A small number for each living thread, for arrays with a place for each.
#pragma once

namespace larder::base {

inline constexpr unsigned k_thread_numbers = 1024;

namespace detail {
inline constexpr unsigned k_not_asked = k_thread_numbers + 1;
// Without a destructor, so that it can be read to the very end of its thread.
extern constinit thread_local unsigned own_number [[gnu::tls_model("initial-exec")]];
void take_number() noexcept;
}  // namespace detail

// The lowest number that no other thread had when the calling one asked first; it is given again when the thread has
// ended. k_thread_numbers if all were taken, and for what still runs when the thread's own objects are destroyed.
// Never waits, takes no lock.
[[nodiscard]] inline unsigned thread_number() noexcept {
  if (detail::own_number == detail::k_not_asked) [[unlikely]]
    detail::take_number();
  return detail::own_number;
}

}  // namespace larder::base
