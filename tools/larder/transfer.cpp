#include "transfer.hpp"

#include <poll.h>
#include <unistd.h>

namespace larder::tool {
namespace {

// Whether the call that failed is to be made again: it was interrupted, or it is its turn now.
bool again(int fd, short event) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN) return false;
  pollfd ready = {fd, event, 0};
  (void)::poll(&ready, 1, -1);  // interrupted: the call then says what to do
  return true;
}

}  // namespace

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (!again(fd, POLLOUT)) {
      return errno;
    }
  }
  return 0;
}

ssize_t read_some(int fd, std::span<char> buffer) {
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got >= 0 || !again(fd, POLLIN)) return got;
  }
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace larder::tool
