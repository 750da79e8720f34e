#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include "os/make.hpp"
#include "os/os.hpp"
#include "os/refuse.hpp"

namespace larder::os {

namespace {

constexpr std::string_view k_half_made = ".larder-new-";

// An errno: EEXIST if somebody else made it meanwhile. His may be in use, however empty it is.
int make_directory(const std::string& path, const Audience& audience) {
  const std::string half_made = half_made_beside(path);
  if (::mkdir(half_made.c_str(), 0700) != 0) return errno;
  reached("os.directory.half_made");
  // The group first: to change it may take permission bits away.
  if ((audience.group && ::lchown(half_made.c_str(), k_keep_owner, *audience.group) != 0) ||
      ::chmod(half_made.c_str(), audience.directory_mode()) != 0) {
    const int code = errno;
    ::rmdir(half_made.c_str());
    return code;
  }
  return give_name(half_made, path);
}

// The system's entry of a group, by getgrnam_r or getgrgid_r: what `read` makes of it, or nothing.
template <class Value, class Look, class Read>
std::optional<Value> group_entry(const Look& look, const Read& read) {
  std::vector<char> text(1024);
  while (true) {
    group entry{};
    group* found = nullptr;
    const int code = look(&entry, text.data(), text.size(), &found);
    if (code == 0 && found != nullptr) return read(*found);
    if (code != ERANGE && code != EINTR) return std::nullopt;
    if (code == ERANGE) text.resize(2 * text.size());  // a group of many members
  }
}

}  // namespace

std::string half_made_beside(const std::string& path) {
  std::uint64_t number = 0;
  random_bytes(std::as_writable_bytes(std::span(&number, 1)));
  return (std::filesystem::path(path).parent_path() / (std::string(k_half_made) + std::to_string(number))).string();
}

int give_name(const std::string& half_made, const std::string& path) noexcept {
  if (::renameat2(AT_FDCWD, half_made.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return 0;
  int code = errno;
  // A file system that cannot do that is none that a store may be on: what is made there is the directory that says so.
  if (code == EINVAL) code = ::rename(half_made.c_str(), path.c_str()) == 0 ? 0 : errno;
  if (code != 0) ::remove(half_made.c_str());
  return code;
}

bool half_made(std::string_view name) noexcept {
  return name.starts_with(k_half_made);
}

Result<void> make_directories(const std::filesystem::path& path, const Audience& audience) {
  const std::string text = path.string();
  if (const int code = refused(Call::make_directory, text)) return error(code, "make directory", text);
  std::filesystem::path so_far;
  for (const auto& part : path) {
    so_far /= part;
    struct stat status {};
    if (::stat(so_far.c_str(), &status) == 0) continue;
    const int code = make_directory(so_far.string(), audience);
    // Somebody else may have made it meanwhile, and even have deleted what we had half made.
    if (code != 0 && ::stat(so_far.c_str(), &status) != 0) return error(code, "make directory", so_far.string());
  }
  struct stat status {};
  if (::stat(text.c_str(), &status) != 0) return error(errno, "make directory", text);
  if (!S_ISDIR(status.st_mode)) return error(ENOTDIR, "make directory", text);
  return {};
}

Result<void> unlink(const std::filesystem::path& path) {
  const std::string text = path.string();
  if (const int code = refused(Call::unlink, text)) return error(code, "unlink", text);
  if (::remove(text.c_str()) != 0 && errno != ENOENT) return error(errno, "unlink", text);
  return {};
}

Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::string text = to.string();
  if (const int code = refused(Call::rename, text)) return error(code, "rename", text);
  if (::rename(from.c_str(), to.c_str()) != 0) return error(errno, "rename", text);
  return {};
}

Result<void> sync_directory(const std::filesystem::path& path) {
  const std::string text = path.string();
  if (const int code = refused(Call::sync, text)) return error(code, "sync", text);
  const int fd = ::open(text.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return error(errno, "open", text);
  const int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (code != 0) return error(code, "sync", text);
  return {};
}

Result<std::vector<std::string>> list(const std::filesystem::path& path) {
  const std::string text = path.string();
  if (const int code = refused(Call::list, text)) return error(code, "list", text);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(text.c_str()), &::closedir);
  if (directory == nullptr) return error(errno, "list", text);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) return error(errno, "list", text);
  return names;
}

Result<void> write_once(const std::filesystem::path& path, std::string_view text, const Audience& audience) {
  if (::access(path.c_str(), F_OK) == 0) return {};  // a disk that is full still serves what it holds
  const std::string half_made = half_made_beside(path.string());
  const Result<File> file = File::open(half_made, O_WRONLY | O_CREAT | O_EXCL, audience);
  if (!file) return file.error();
  const Bytes bytes = std::as_bytes(std::span(text));
  if (Result<void> written = file->write_at(0, std::span(&bytes, 1)); !written) {
    ::unlink(half_made.c_str());
    return written;
  }
  const int code = give_name(half_made, path.string());
  if (code != 0 && code != EEXIST) return error(code, "write", path.string());
  return {};
}

Result<FileSystem> file_system(const std::filesystem::path& path) {
  // From <linux/magic.h> and the file systems' sources. Trusted are those on which mappings are
  // coherent with writes, OFD locks hold between all users, and written space is real.
  struct Known {
    unsigned long magic;
    const char* name;
    bool trusted;
  };
  static constexpr Known known[] = {
      {0xef53, "ext4", true},      {0x58465342, "xfs", true},       {0x01021994, "tmpfs", true},
      {0x9123683e, "btrfs", true}, {0x794c7630, "overlayfs", true}, {0x6969, "nfs", false},
      {0xff534d42, "cifs", false}, {0xfe534d42, "smb2", false},     {0x0bd00bd0, "lustre", false},
      {0x01021997, "9p", false},   {0x65735546, "fuse", false},     {0x47504653, "gpfs", false},
      {0x00c36400, "ceph", false}, {0x2fc12fc1, "zfs", false},      {0xf2f52010, "f2fs", false},
      {0x5346544e, "ntfs", false}, {0x4d44, "vfat", false},
  };
  struct statfs status {};
  const std::string text = path.string();
  if (::statfs(text.c_str(), &status) != 0) return error(errno, "statfs", text);
  FileSystem result;
  result.bytes = static_cast<std::uint64_t>(status.f_blocks) * static_cast<std::uint64_t>(status.f_bsize);
  result.bytes_free = static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_bsize);
  const auto magic = static_cast<unsigned long>(status.f_type) & 0xffffffffUL;
  for (const Known& candidate : known) {
    if (candidate.magic == magic) {
      result.name = candidate.name;
      result.trusted = candidate.trusted;
      return result;
    }
  }
  char name[16];
  std::snprintf(name, sizeof name, "0x%lx", magic);
  result.name = name;
  return result;
}

Result<Ownership> ownership(const std::filesystem::path& path) {
  struct stat status {};
  const std::string text = path.string();
  if (::lstat(text.c_str(), &status) != 0) return error(errno, "stat", text);
  return Ownership{status.st_uid, status.st_gid, status.st_mode & 07777, S_ISDIR(status.st_mode)};
}

uid_t current_user() noexcept {
  return ::geteuid();
}

std::optional<gid_t> group_named(const std::string& name) {
  return group_entry<gid_t>([&](group* entry, char* text, std::size_t bytes,
                                group** found) { return ::getgrnam_r(name.c_str(), entry, text, bytes, found); },
                            [](const group& entry) { return entry.gr_gid; });
}

std::string group_name(gid_t number) {
  const std::optional<std::string> name =
      group_entry<std::string>([&](group* entry, char* text, std::size_t bytes,
                                   group** found) { return ::getgrgid_r(number, entry, text, bytes, found); },
                               [](const group& entry) { return entry.gr_name; });
  return name.value_or(std::to_string(number));
}

bool in_group(gid_t group) {
  if (group == ::getegid()) return true;
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(count, 0)));
  const int got = ::getgroups(count, groups.data());
  groups.resize(static_cast<std::size_t>(std::max(got, 0)));
  return std::ranges::find(groups, group) != groups.end();
}

std::filesystem::path home_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return home;
  passwd user{};
  passwd* found = nullptr;
  std::array<char, 4096> text;
  if (::getpwuid_r(current_user(), &user, text.data(), text.size(), &found) != 0 || found == nullptr) return {};
  return user.pw_dir;
}

BootId boot_id() {
  BootId id{};
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  file >> text;
  std::size_t digits = 0;
  for (const char c : text) {
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0 || digits == 32) continue;
    id[digits / 2] |= static_cast<std::byte>(digits % 2 == 0 ? value << 4 : value);
    ++digits;
  }
  return id;
}

void random_bytes(std::span<std::byte> bytes) {
  // Up to 256 bytes getrandom() neither fails nor falls short once the system has booted.
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), std::min<std::size_t>(bytes.size(), 256), 0);
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

std::uint64_t memory_bytes() {
  auto bytes =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  std::uint64_t cgroup = 0;
  if (limit >> cgroup && cgroup != 0 && cgroup < bytes) bytes = cgroup;
  return bytes;
}

pid_t process_id() noexcept {
  return ::getpid();
}

}  // namespace larder::os
