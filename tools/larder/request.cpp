#include "request.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include <larder/codecs.hpp>

#include "output.hpp"

namespace larder::tool {
namespace {

// Raise it when the meaning of a recorded result changes.
constexpr Version k_exec_version{1};

Failure input_failure() {
  return {Exit::failed, fmt::format("standard input cannot be kept: {}", std::strerror(errno)), ""};
}

}  // namespace

Key key_of(const Request& request, const std::optional<Digest>& standard_input) {
  std::map<std::string, std::optional<std::string>> variables;
  for (const std::string& name : request.variables) {
    const char* value = std::getenv(name.c_str());
    variables[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }
  std::map<std::string, Digest> files;
  for (const std::string& path : request.files) files[path] = digest_file(path).value();
  const std::set<std::string> outputs(request.outputs.begin(), request.outputs.end());
  return Key("exec", k_exec_version, request.command, std::filesystem::current_path().string(), variables, files,
             outputs, standard_input, request.extra, request.store_failures);
}

Input::Input(bool standard_input) {
  descriptor_ =
      standard_input ? ::memfd_create("larder-stdin", MFD_CLOEXEC) : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw input_failure();
  if (!standard_input) return;
  DigestStream stream;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw input_failure();
    if (got == 0) break;
    const auto length = static_cast<std::size_t>(got);
    stream.update(std::as_bytes(std::span(buffer).first(length)));
    for (std::size_t done = 0; done < length;) {
      const ssize_t put = ::write(descriptor_, buffer.data() + done, length - done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) throw input_failure();
      done += static_cast<std::size_t>(put);
    }
  }
  digest_ = stream.value();
  if (::lseek(descriptor_, 0, SEEK_SET) != 0) throw input_failure();
}

Input::~Input() {
  ::close(descriptor_);
}

}  // namespace larder::tool
