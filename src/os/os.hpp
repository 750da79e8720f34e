// The os room: every system call that larder makes, and nothing that knows what a cache is.
//
// Calls that the world can refuse return a Result whose error names the call and the path. EINTR and
// short transfers are handled here; none raises SIGXFSZ. Each such call first asks the installed Hooks, if
// there are any: tests install a twin that refuses calls (disk full, I/O error) or that stops the process
// at a named point; production has none and pays one relaxed load a call.
#pragma once

#include <sys/types.h>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <larder/codec.hpp>
#include <larder/result.hpp>

namespace larder::os {

enum class Call : std::uint8_t {
  open,
  read,
  write,
  allocate,
  map,
  populate,
  unlink,
  list,
  make_directory,
  lock,
  sync,
  rename,
};

// What tests put between larder and the system. Called from any thread.
class Hooks {
 public:
  virtual ~Hooks() = default;
  // An errno with which the call fails instead of being made, or 0.
  virtual int before(Call call, const std::string& path) = 0;
  // The program reached a named point between two steps that a kill could separate.
  virtual void reached(const char* point) = 0;
};
// Installs hooks, or removes them with null. The caller keeps them alive until then.
void install(Hooks* hooks) noexcept;
// Tells the hooks that `point` is reached. Names are `room.operation.step`, for example
// "store.append.written".
void reached(const char* point) noexcept;

// An error for `code` (an errno) out of `call` on `path`.
[[nodiscard]] Error error(int code, const char* call, const std::string& path);

// Who may use what is made: its owner alone, or all members of a group, who may read, change and delete it. What is
// made appears under its name with the modes and the group that this takes, whatever the umask is, or not at all:
// nobody meets it half made, also if its maker is killed.
struct Audience {
  std::optional<gid_t> group = {};

  [[nodiscard]] mode_t file_mode() const noexcept { return group ? 0660 : 0600; }
  // Set-group-ID: what others make in there is the group's, too.
  [[nodiscard]] mode_t directory_mode() const noexcept { return group ? 02770 : 0700; }
};

// An open file; closes it.
class File {
 public:
  File() = default;
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  // `flags` as for open(2); O_CLOEXEC and O_NOFOLLOW are added. Errc::not_found if there is no file. `audience` is
  // for a file that is made, by O_CREAT.
  static Result<File> open(const std::filesystem::path& path, int flags, const Audience& audience = {});
  // Opens a file that is the user's, not the store's, to be read: links are followed. Fails, without waiting, for
  // what has no content of its own: a directory, a FIFO, a device.
  static Result<File> open_regular(const std::filesystem::path& path);

  // Writes all pieces one after the other from `offset` on. On failure a part may be written.
  Result<void> write_at(std::uint64_t offset, std::span<const Bytes> pieces) const;
  // Reads up to bytes.size() bytes; fewer only at the end of the file.
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
  [[nodiscard]] Result<std::uint64_t> size() const;
  // Gives the first `bytes` bytes real room on disk, so that writing through a mapping cannot fail.
  Result<void> allocate(std::uint64_t bytes) const;
  // Returns when the file's bytes, also those written through mappings, are on disk.
  [[nodiscard]] Result<void> sync() const;
  // Says that the open file is in use, until nothing that was opened or mapped here refers to it any more: also while
  // the system takes back what a killed process had, and in a forked child. See in_use().
  [[nodiscard]] Result<void> mark_in_use() const;
  // Asks the system to start writing the range out, without waiting: paces large writes.
  void start_writeback(std::uint64_t offset, std::uint64_t bytes) const noexcept;
  // Waits until the range was written out. Returns at once where nothing is written out (tmpfs).
  void wait_for_writeback(std::uint64_t offset, std::uint64_t bytes) const noexcept;

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  void close() noexcept;

 private:
  int fd_ = -1;
  std::string path_;
};

// A shared mapping of the start of a file; unmaps it.
class Mapping {
 public:
  enum class Access : std::uint8_t { read, read_write };

  Mapping() = default;
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;

  // REQUIRES: the file is at least `bytes` long for as long as pages are touched (SIGBUS otherwise).
  static Result<Mapping> map(const File& file, std::uint64_t bytes, Access access);

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // Brings the pages of a range in, so that an I/O error is returned here and is no SIGBUS later.
  [[nodiscard]] Result<void> populate(std::uint64_t offset, std::uint64_t bytes, const std::string& path) const;

 private:
  std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
};

// Byte-range locks of a file (F_OFD_*): owned by the open file, released by the kernel when the last
// descriptor of it goes, even by SIGKILL. One byte is one lock; offsets up to 2^62. They exclude other
// processes and other LockFiles, never threads that use the same LockFile: callers keep their own
// registry for those.
class LockFile {
 public:
  // Makes the file if it is missing.
  static Result<LockFile> open(const std::filesystem::path& path, const Audience& audience = {});
  // Errc::not_found if it is missing.
  static Result<LockFile> open_existing(const std::filesystem::path& path);

  // True if the byte is now locked exclusively; false if somebody else holds it.
  Result<bool> try_lock(std::uint64_t offset) const;
  // Sleeps until the byte is locked exclusively.
  Result<void> lock(std::uint64_t offset) const;
  Result<bool> try_lock_shared(std::uint64_t offset) const;
  void unlock(std::uint64_t offset) const noexcept;
  // Whether another LockFile holds the byte, shared or exclusively. True also when it cannot be told.
  [[nodiscard]] bool held_elsewhere(std::uint64_t offset) const noexcept;

  [[nodiscard]] int fd() const noexcept { return file_.fd(); }

 private:
  static Result<LockFile> open(const std::filesystem::path& path, int flags, const Audience& audience);
  File file_;
};

// Whether anybody, this process included, has the file in use who marked it so. False if there is no such file; true
// also when it cannot be told.
[[nodiscard]] bool in_use(const std::filesystem::path& path) noexcept;

// --- directories and names ---

// Makes the directory and its missing parents, all that are made for the audience.
Result<void> make_directories(const std::filesystem::path& path, const Audience& audience = {});
// Deletes a file, or an empty directory. Success too if there is none.
Result<void> unlink(const std::filesystem::path& path);
// Gives a file another name, in place of the file that had it.
Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to);
// Returns when the names in a directory, as they are now, are on disk.
Result<void> sync_directory(const std::filesystem::path& path);
// The names in a directory, in no order.
Result<std::vector<std::string>> list(const std::filesystem::path& path);
// Writes a small file so that readers see all of it or nothing. Leaves an existing file alone.
Result<void> write_once(const std::filesystem::path& path, std::string_view text, const Audience& audience = {});
// Whether a name is that of something half made, which somebody who was killed may have left.
[[nodiscard]] bool half_made(std::string_view name) noexcept;

// --- the machine and the process ---

// What a file system is, as far as the store has to know.
struct FileSystem {
  std::string name;         // "ext4", "nfs", "0x1badface"
  bool trusted = false;     // mappings and writes are coherent, locks hold, space is real
  std::uint64_t bytes = 0;  // capacity
  std::uint64_t bytes_free = 0;
};
Result<FileSystem> file_system(const std::filesystem::path& path);

// Whose a file or directory is and its permission bits, symbolic links not followed.
struct Ownership {
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0;
  bool directory = false;  // neither a link nor anything else
};
Result<Ownership> ownership(const std::filesystem::path& path);
[[nodiscard]] uid_t current_user() noexcept;
// The group of that name, if the system knows one.
[[nodiscard]] std::optional<gid_t> group_named(const std::string& name);
// The name of a group; its number if it has none.
[[nodiscard]] std::string group_name(gid_t group);
// Whether this process has the rights of the group's members.
[[nodiscard]] bool in_group(gid_t group);
// The home directory: $HOME, else what the system's list of users says. Empty if neither names one.
[[nodiscard]] std::filesystem::path home_directory();

// The kernel's random identity of this boot; all zeros where it cannot be read.
using BootId = std::array<std::byte, 16>;
[[nodiscard]] BootId boot_id();
// Fills `bytes` from the system's random source.
void random_bytes(std::span<std::byte> bytes);
[[nodiscard]] std::uint64_t memory_bytes();  // of the machine, or of the cgroup where that is less
[[nodiscard]] pid_t process_id() noexcept;

// The files below a directory that a process maps, deleted ones included; each of them once.
struct MappedFile {
  std::string path;
  std::uint64_t bytes = 0;  // of the mapping
  bool deleted = false;
};
struct Mapper {
  pid_t pid = 0;
  std::string command;  // its name, as the system keeps it: 15 bytes at most
  std::vector<MappedFile> files;
};
struct Mappers {
  std::vector<Mapper> processes;
  std::size_t unreadable = 0;  // processes that this one may not look into
};
// Takes some milliseconds on a machine with many processes. Those in whose view of the file system the directory has
// another name (containers) are not seen. REQUIRES: an absolute path without links.
[[nodiscard]] Mappers mappers(const std::filesystem::path& directory);

// --- fork ---

// Grows by one in a child of fork(). An object that remembers the number it was made under knows
// whether it still belongs to the process that made it.
extern std::atomic<std::uint64_t> forks;  // written by the handler of fork() alone
[[nodiscard]] inline std::uint64_t fork_generation() noexcept {
  return forks.load(std::memory_order_acquire);
}
// Descriptors to be closed in the child, before fork() returns there: locks that the child must not
// hold on to. At most 4096 at a time; false if there is no room.
bool close_on_fork(int fd) noexcept;
void keep_on_fork(int fd) noexcept;  // takes `fd` off that list; call it before closing `fd`

}  // namespace larder::os
