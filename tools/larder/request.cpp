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
#include "transfer.hpp"

namespace larder::tool {
namespace {

// Raise it when the meaning of a recorded result changes.
constexpr Version k_exec_version{1};

Failure input_failure(const char* what) {
  return {Exit::failed, fmt::format("standard input cannot be {}: {}", what, std::strerror(errno)),
          "send it from a file, or leave out --stdin"};
}

Digest digest_input(const std::string& path) {
  const Result<Digest> digest = digest_file(path);
  if (digest) return *digest;
  const Error& error = digest.error();
  const bool missing = error.code() == Errc::not_found;
  throw Error(error.code(), fmt::format("--file {}", error.what()),
              missing ? "--file names what the command reads, and --out what it writes" : error.help());
}

}  // namespace

Key key_of(const Request& request, const std::optional<Digest>& standard_input) {
  std::map<std::string, std::optional<std::string>> variables;
  for (const std::string& name : request.variables) {
    const char* value = std::getenv(name.c_str());
    variables[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }
  std::map<std::string, Digest> files;
  for (const std::string& path : request.files) files[path] = digest_input(path);
  const std::set<std::string> outputs(request.outputs.begin(), request.outputs.end());
  try {
    return Key("exec", k_exec_version, request.command, std::filesystem::current_path().string(), variables, files,
               outputs, standard_input, request.extra, request.store_failures);
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), "put long arguments into a file, and name it with --file");
  }
}

Input::Input(bool standard_input)
    : descriptor_(standard_input ? STDIN_FILENO : ::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) throw input_failure("opened");
}

void Input::read(std::uint64_t bytes_max) {
  if (descriptor_ != STDIN_FILENO) return;
  const int kept = ::memfd_create("larder-stdin", MFD_CLOEXEC);
  if (kept < 0) throw input_failure("kept");
  descriptor_ = kept;
  DigestStream stream;
  std::array<char, 65536> buffer;
  for (std::uint64_t bytes_read = 0;;) {
    const ssize_t got = read_some(STDIN_FILENO, buffer);
    if (got < 0) throw input_failure("read");
    if (got == 0) break;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    bytes_read += bytes.size();
    if (bytes_read > bytes_max) {
      throw Failure{Exit::failed, fmt::format("--stdin takes at most {}, and there is more", format_size(bytes_max)),
                    "keep it in a file, name that with --file, and let the command read it"};
    }
    stream.update(std::as_bytes(std::span(bytes)));
    if (write_all(descriptor_, bytes) != 0) throw input_failure("kept");
  }
  digest_ = stream.value();
  if (::lseek(descriptor_, 0, SEEK_SET) != 0) throw input_failure("kept");
}

Input::~Input() {
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

}  // namespace larder::tool
