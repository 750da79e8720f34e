#include "support/recorded_disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>

namespace larder::test {

namespace {

constexpr std::uint64_t k_page_bytes = 4096;
constexpr std::uint64_t k_sector_bytes = 512;

mode_t mode_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_mode & 07777 : 0;
}

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("RecordedDisk: " + what + ": " + std::strerror(errno));
}

void write_all(int fd, const std::byte* bytes, std::uint64_t count, std::uint64_t offset) {
  while (count > 0) {
    const ssize_t written = ::pwrite(fd, bytes, count, static_cast<off_t>(offset));
    if (written <= 0) fail("pwrite");
    bytes += written;
    count -= static_cast<std::uint64_t>(written);
    offset += static_cast<std::uint64_t>(written);
  }
}

}  // namespace

// Decides which of the things that were not synced a disk holds. A thing has versions, oldest first; asked for each
// thing in turn, always in the same order.
class RecordedDisk::Choice {
 public:
  enum class Kind : std::uint8_t { page, size, name };

  // `things`: of an image that was made before with the same cut, for the losses that pick one.
  Choice(Loss loss, std::uint64_t seed, std::uint64_t things)
      : loss_(loss), random_(seed), picked_(things == 0 ? 0 : random_() % things), share_(1 + random_() % 9) {}

  // How many of the versions reached the disk, in order: the last of these is there.
  // `synced`: when the file last was; `cut`: when the power goes.
  std::size_t reached(Kind kind, FileNumber file, const std::vector<Moment>& since, Moment synced, Moment cut) {
    if (since.empty()) return 0;
    const bool picked = things_++ == picked_;
    switch (loss_) {
      case Loss::nothing:
        return since.size();
      case Loss::everything:
        return 0;
      case Loss::all_but_one:
        // A page needs a size and a name.
        return picked || (kind != Kind::page && share_ % 2 == 0) ? since.size() : 0;
      case Loss::one:
        return picked ? random_() % since.size() : since.size();
      case Loss::whole_files:
        return of_file(file) % 2 == 0 ? since.size() : 0;
      case Loss::late_writes: {
        const Moment until = synced + static_cast<Moment>(of_file(file) % (cut - synced + 1));
        return static_cast<std::size_t>(std::ranges::upper_bound(since, until) - since.begin());
      }
      case Loss::single_pages:
      case Loss::torn_pages:
        // Sizes and names mostly there: without them no page is.
        if (random_() % 10 >= (kind == Kind::page ? share_ : 8)) return 0;
        return 1 + random_() % since.size();
    }
    return 0;
  }
  // Whether a page that has these newer versions is torn, and by which of them.
  std::optional<std::size_t> torn(std::size_t newer) {
    if (newer == 0 || loss_ < Loss::single_pages || random_() % (loss_ == Loss::torn_pages ? 2 : 16) != 0) return {};
    return random_() % newer;
  }
  std::uint64_t random() { return random_(); }
  [[nodiscard]] std::uint64_t things() const { return things_; }

 private:
  std::uint64_t of_file(FileNumber file) {
    const auto [at, added] = of_files_.try_emplace(file, 0);
    if (added) at->second = random_();
    return at->second;
  }

  const Loss loss_;
  std::mt19937_64 random_;
  const std::uint64_t picked_;
  const std::uint64_t share_;  // tenths
  std::uint64_t things_ = 0;
  std::map<FileNumber, std::uint64_t> of_files_;
};

RecordedDisk::RecordedDisk(std::filesystem::path root) : root_(std::move(root)) {
  number_of(0, AT_FDCWD, root_.string());
  record();
  names_at_first_ = names_;
  namings_.clear();
  for (File& file : files_) file.syncs.push_back(now_);
  ++now_;
  os::install(this);
}

RecordedDisk::~RecordedDisk() {
  os::install(nullptr);
  for (const File& file : files_) {
    if (file.mapped != nullptr) ::munmap(file.mapped, file.mapped_bytes);
    ::close(file.fd);
  }
}

RecordedDisk::Moment RecordedDisk::now() {
  record();
  return now_;
}

int RecordedDisk::before(os::Call call, const std::string& path) {
  switch (call) {
    case os::Call::write:
    case os::Call::allocate:
    case os::Call::unlink:
    case os::Call::rename:
    case os::Call::make_directory:
      record();
      break;
    case os::Call::sync:
      record();
      if (const std::optional<FileNumber> file = file_at(path)) files_[*file].syncs.push_back(now_);
      ++now_;  // the sync is over at the next moment
      break;
    default:  // changes nothing, or what the next moment will show
      break;
  }
  return 0;
}

void RecordedDisk::reached(const char*) {
  record();
}

void RecordedDisk::record() {
  // Counted on first: what is found to be changed changed after the last moment.
  ++now_;
  changed_ = false;
  Names found;
  walk(0, found);
  compare_names(found);
  for (File& file : files_) {
    if (!file.directory) compare_content(file);
  }
  if (!changed_) --now_;
}

RecordedDisk::FileNumber RecordedDisk::number_of(ino_t number, int in_directory, const std::string& name) {
  const auto [known, added] = known_.try_emplace(number, static_cast<FileNumber>(files_.size()));
  if (added) {
    File file;
    struct stat status {};
    file.fd = ::openat(in_directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file.fd < 0 || ::fstat(file.fd, &status) != 0) fail("open " + name);
    file.directory = S_ISDIR(status.st_mode);
    files_.push_back(std::move(file));
  }
  return known->second;
}

std::optional<RecordedDisk::FileNumber> RecordedDisk::file_at(const std::filesystem::path& path) const {
  FileNumber number = 0;
  if (path == root_) return number;
  for (const auto& part : path.lexically_relative(root_)) {
    const auto found = names_.find(Name{number, part.string()});
    if (found == names_.end()) return std::nullopt;
    number = found->second;
  }
  return number;
}

void RecordedDisk::walk(FileNumber directory, Names& into) {
  const int fd = ::openat(files_[directory].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fd < 0 ? nullptr : ::fdopendir(fd), &::closedir);
  if (entries == nullptr) fail("opendir");
  std::map<std::string, ino_t> sorted;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") sorted.emplace(name, entry->d_ino);
  }
  for (const auto& [name, inode] : sorted) {
    const FileNumber number = number_of(inode, files_[directory].fd, name);
    into.emplace(Name{directory, name}, number);
    if (files_[number].directory) walk(number, into);
  }
}

void RecordedDisk::compare_names(const Names& found) {
  if (found == names_) return;
  changed_ = true;
  Names gone;
  for (const auto& [name, file] : names_) {
    if (!found.contains(name)) gone.emplace(name, file);
  }
  for (const auto& [name, file] : found) {
    const auto old = names_.find(name);
    if (old != names_.end() && old->second == file) continue;
    const auto from = std::ranges::find(gone, file, &Names::value_type::second);
    namings_.push_back({now_, from == gone.end() ? Name{} : from->first, name, file});
    if (from != gone.end()) gone.erase(from);
  }
  for (const auto& [name, file] : gone) namings_.push_back({now_, name, Name{}, file});
  names_ = found;
}

void RecordedDisk::compare_content(File& file) {
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) fail("fstat");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (file.sizes.empty() || file.sizes.back().bytes != size) {
    file.sizes.push_back({now_, size});
    changed_ = true;
  }
  if (size > file.mapped_bytes) {
    if (file.mapped != nullptr) ::munmap(file.mapped, file.mapped_bytes);
    file.mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd, 0);
    if (file.mapped == MAP_FAILED) fail("mmap");
    file.mapped_bytes = size;
    file.content.resize(size);
  }
  const auto* const bytes = static_cast<const std::byte*>(file.mapped);
  if (size == 0 || std::memcmp(bytes, file.content.data(), size) == 0) return;
  changed_ = true;
  for (std::uint64_t offset = 0; offset < size; offset += k_page_bytes) {
    const std::uint64_t length = std::min(k_page_bytes, size - offset);
    std::byte* const known = file.content.data() + offset;
    if (std::memcmp(bytes + offset, known, length) == 0) continue;
    std::memcpy(known, bytes + offset, length);
    PageVersion version{now_, std::vector<std::byte>(k_page_bytes)};
    std::memcpy(version.bytes.data(), known, length);
    file.pages[offset / k_page_bytes].push_back(std::move(version));
  }
}

RecordedDisk::Moment RecordedDisk::synced_before(const File& file, Moment cut) {
  // A sync that began at the cut is not over yet.
  const auto late = std::ranges::lower_bound(file.syncs, cut);
  return late == file.syncs.begin() ? 0 : *std::prev(late);
}

RecordedDisk::Names RecordedDisk::names_at(Moment cut, Choice& choice) const {
  Names names = names_at_first_;
  for (const Naming& naming : namings_) {
    if (naming.since > cut) break;
    const FileNumber directory = naming.to.name.empty() ? naming.from.directory : naming.to.directory;
    const Moment synced = synced_before(files_[directory], cut);
    const bool on_disk = naming.since <= synced;
    if (!on_disk && choice.reached(Choice::Kind::name, directory, {naming.since}, synced, cut) == 0) continue;
    if (const auto from = names.find(naming.from); from != names.end() && from->second == naming.file)
      names.erase(from);
    if (!naming.to.name.empty()) names[naming.to] = naming.file;
  }
  return names;
}

void RecordedDisk::write_file(const File& file, FileNumber number, Moment cut, Choice& choice,
                              const std::filesystem::path& to) const {
  const Moment synced = synced_before(file, cut);
  // The version of a thing that is there, how many newer ones there are, and the last one that is on disk for sure.
  struct There {
    std::size_t version;  // counted from 1; 0: none
    std::size_t newer;
  };
  const auto there = [&](Choice::Kind kind, const auto& versions) -> There {
    std::size_t on_disk = 0;
    std::vector<Moment> since;
    for (const auto& version : versions) {
      if (version.since > cut) break;
      if (version.since <= synced) {
        ++on_disk;
      } else {
        since.push_back(version.since);
      }
    }
    const std::size_t reached = choice.reached(kind, number, since, synced, cut);
    return {on_disk + reached, since.size() - reached};
  };
  const There size_there = there(Choice::Kind::size, file.sizes);
  const std::uint64_t size = size_there.version == 0 ? 0 : file.sizes[size_there.version - 1].bytes;
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) fail("create " + to.string());
  if (::fchmod(fd, mode_of(file.fd)) != 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0) fail("ftruncate");
  std::vector<std::byte> bytes(k_page_bytes);
  for (const auto& [page, versions] : file.pages) {
    const There page_there = there(Choice::Kind::page, versions);
    const auto version = [&](std::size_t counted) { return versions[counted - 1].bytes.data(); };
    if (page_there.version == 0) {
      std::ranges::fill(bytes, std::byte{0});
    } else {
      std::memcpy(bytes.data(), version(page_there.version), k_page_bytes);
    }
    const std::optional<std::size_t> torn = choice.torn(page_there.newer);
    if (torn) {
      const std::byte* const newer = version(page_there.version + 1 + *torn);
      const std::uint64_t sectors = choice.random();
      for (std::uint64_t i = 0; i < k_page_bytes / k_sector_bytes; ++i) {
        if ((sectors >> i & 1) != 0) {
          std::memcpy(bytes.data() + i * k_sector_bytes, newer + i * k_sector_bytes, k_sector_bytes);
        }
      }
    }
    const std::uint64_t offset = page * k_page_bytes;
    if ((page_there.version == 0 && !torn) || offset >= size) continue;
    write_all(fd, bytes.data(), std::min(k_page_bytes, size - offset), offset);
  }
  ::close(fd);
}

void RecordedDisk::make_image(Moment cut, Loss loss, std::uint64_t seed, const std::filesystem::path& directory) const {
  // A first time to count the things, for the losses that pick one of them.
  const auto make = [&](std::uint64_t things, const std::filesystem::path& to) {
    Choice choice(loss, seed, things);
    const Names names = names_at(cut, choice);
    std::map<FileNumber, std::filesystem::path> places{{0, to}};
    // Directories are numbered before what is in them, so they are made in that order, too; a directory without a name
    // takes along what is in it.
    std::vector<std::pair<Name, FileNumber>> sorted(names.begin(), names.end());
    std::ranges::sort(sorted, {}, [](const auto& entry) { return entry.first.directory; });
    for (const auto& [name, number] : sorted) {
      const auto parent = places.find(name.directory);
      if (parent == places.end()) continue;
      const std::filesystem::path path = parent->second / name.name;
      if (!files_[number].directory) {
        write_file(files_[number], number, cut, choice, path);
      } else if (places.emplace(number, path).second) {
        if (::mkdir(path.c_str(), 0700) != 0 || ::chmod(path.c_str(), mode_of(files_[number].fd)) != 0) fail("mkdir");
      }
    }
    return choice.things();
  };
  std::uint64_t things = 0;
  if (loss == Loss::all_but_one || loss == Loss::one) {
    things = make(0, directory);
    for (const auto& entry : std::filesystem::directory_iterator(directory)) std::filesystem::remove_all(entry.path());
  }
  make(things, directory);
}

}  // namespace larder::test
