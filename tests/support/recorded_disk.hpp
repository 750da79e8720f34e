// A twin of the system that records what a directory goes through, and makes what a disk may hold of it if the power
// goes.
//
// While one lives, every named point and every call of the os room that changes something is a moment. At each the
// whole directory is compared with what it was before: so what is written through mappings is recorded like any other
// write. What a sync covered before a moment is on disk then. Of everything else a disk may hold any part:
//
//   a page: as it last was on disk, or as it was at any moment since; torn between two such at a multiple of 512
//     bytes;
//   a size: as it last was on disk, or any since; what was not written below it is zeros;
//   a name: made, changed or removed, or not yet; a rename is one step.
//
// So a page that a size or a name is missing for is lost, too. REQUIRES: one thread, and children that it waits for.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "os/os.hpp"

namespace larder::test {

class RecordedDisk : public os::Hooks {
 public:
  using Moment = std::uint32_t;

  // What is lost of what was not synced.
  enum class Loss : std::uint8_t {
    nothing,
    everything,
    all_but_one,   // of pages; of sizes and names, too, or none
    one,           // one page, size or name
    whole_files,   // of each file everything or nothing
    late_writes,   // of each file what came after a moment of its own
    single_pages,  // any pages; of the others few are torn
    torn_pages,    // any pages; of the others many are torn
  };
  static constexpr std::uint32_t k_losses = 8;

  // What is in the directory now is on disk.
  explicit RecordedDisk(std::filesystem::path root);
  ~RecordedDisk() override;
  RecordedDisk(const RecordedDisk&) = delete;
  RecordedDisk& operator=(const RecordedDisk&) = delete;

  // The moment that it is. All that was changed so far belongs to it, or to an earlier one.
  Moment now();
  // Makes, in an empty directory, what the disk may hold if the power goes at that moment.
  void make_image(Moment cut, Loss loss, std::uint64_t seed, const std::filesystem::path& directory) const;

  int before(os::Call call, const std::string& path) override;
  void reached(const char* point) override;

 private:
  using FileNumber = std::uint32_t;
  struct PageVersion {
    Moment since;
    std::vector<std::byte> bytes;
  };
  struct SizeVersion {
    Moment since;
    std::uint64_t bytes;
  };
  // A file or directory, whatever its names.
  struct File {
    int fd = -1;  // open: so no other file gets its number
    bool directory = false;
    void* mapped = nullptr;
    std::uint64_t mapped_bytes = 0;
    std::vector<std::byte> content;  // as it was last recorded
    std::map<std::uint64_t, std::vector<PageVersion>> pages;
    std::vector<SizeVersion> sizes;
    std::vector<Moment> syncs;
  };
  struct Name {
    FileNumber directory;
    std::string name;
    auto operator<=>(const Name&) const = default;
  };
  using Names = std::map<Name, FileNumber>;
  // One step: `from`, if it is a name, is one no more; `to`, if it is a name, is that of the file.
  struct Naming {
    Moment since;
    Name from;
    Name to;
    FileNumber file;
  };
  class Choice;

  void record();
  void walk(FileNumber directory, Names& into);
  void compare_names(const Names& found);
  void compare_content(File& file);
  FileNumber number_of(ino_t number, int in_directory, const std::string& name);
  [[nodiscard]] std::optional<FileNumber> file_at(const std::filesystem::path& path) const;
  [[nodiscard]] static Moment synced_before(const File& file, Moment cut);
  [[nodiscard]] Names names_at(Moment cut, Choice& choice) const;
  void write_file(const File& file, FileNumber number, Moment cut, Choice& choice,
                  const std::filesystem::path& to) const;

  const std::filesystem::path root_;
  Moment now_ = 0;
  bool changed_ = false;  // at this moment
  std::vector<File> files_;
  std::map<ino_t, FileNumber> known_;
  Names names_at_first_;
  Names names_;
  std::vector<Naming> namings_;
};

}  // namespace larder::test
