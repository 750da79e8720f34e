#include "store/control.hpp"

#include <fcntl.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "base/atomic.hpp"

namespace larder::store {

namespace {

Error damaged(const std::filesystem::path& path, const char* what) {
  return {Errc::damaged, path.string() + " " + what};
}

Result<os::File> open_for(const std::filesystem::path& path, os::Mapping::Access access) {
  return os::File::open(path, access == os::Mapping::Access::read ? O_RDONLY : O_RDWR);
}

Error made_by_newer(const Paths& paths, const std::string& how) {
  return {Errc::incompatible_format, "the store in " + paths.root.string() + " was made by a newer larder: " + how,
          "use that larder, or another directory"};
}

// The directory of a newer format in a directory that has none of ours; empty if that is not so.
Result<std::string> newer_alone(const Paths& paths) {
  const Result<std::vector<std::string>> names = os::list(paths.root);
  if (!names && names.error().code() == Errc::not_found) return std::string();
  if (!names) return names.error();
  const auto is_version = [](const std::string& name) {
    return name.size() > 1 && name[0] == 'v' &&
           std::ranges::all_of(name.substr(1), [](char c) { return c >= '0' && c <= '9'; });
  };
  const auto found = std::ranges::find_if(*names, is_version);
  const bool ours = std::ranges::find(*names, paths.v1().filename().string()) != names->end();
  return found == names->end() || ours ? std::string() : *found;
}

std::span<TagTable::Counter> generations_in(std::byte* gen, const Geometry& geometry) noexcept {
  return {reinterpret_cast<TagTable::Counter*>(gen + k_gen_tags_offset), geometry.generations()};
}

}  // namespace

std::filesystem::path Paths::lease(std::size_t number) const {
  std::array<char, 16> name{};
  std::snprintf(name.data(), name.size(), "lease.%02zx", number);
  return locks() / name.data();
}

std::filesystem::path Paths::pin(std::size_t number) const {
  std::array<char, 16> name{};
  std::snprintf(name.data(), name.size(), "pin.%zx", number);
  return locks() / name.data();
}

Result<os::Mapping> make_mapped_file(const std::filesystem::path& path, const os::Audience& audience,
                                     std::uint64_t bytes, std::uint64_t mapped_bytes) {
  if (Result<void> gone = os::unlink(path); !gone) return gone.error();
  Result<os::File> file = os::File::open(path, O_RDWR | O_CREAT | O_EXCL, audience);
  if (!file) return file.error();
  if (Result<void> allocated = file->allocate(bytes); !allocated) {
    static_cast<void>(os::unlink(path));
    return allocated.error();
  }
  return os::Mapping::map(*file, mapped_bytes, os::Mapping::Access::read_write);
}

Result<os::Mapping> map_file(const std::filesystem::path& path, std::uint64_t bytes, os::Mapping::Access access) {
  const Result<os::File> file = open_for(path, access);
  if (!file) return file.error();
  const Result<std::uint64_t> size = file->size();
  if (!size) return size.error();
  if (*size != bytes) return damaged(path, "has the wrong size");
  return os::Mapping::map(*file, bytes, access);
}

Result<os::Mapping> make_index(const Paths& paths, const IndexShape& shape) {
  return make_mapped_file(paths.index(shape.number), paths.audience, shape.bytes(), shape.bytes_max());
}

Result<os::Mapping> map_index(const Paths& paths, const IndexShape& shape, os::Mapping::Access access) {
  const std::filesystem::path path = paths.index(shape.number);
  const Result<os::File> file = open_for(path, access);
  if (!file) return file.error();
  const Result<std::uint64_t> size = file->size();
  if (!size) return size.error();
  // It may be larger: who grows it is killed, or somebody has grown it since.
  if (!shape.plausible() || *size < shape.bytes() || *size > shape.bytes_max())
    return damaged(path, "has the wrong size");
  return os::Mapping::map(*file, shape.bytes_max(), access);
}

Result<void> grow_index(const Paths& paths, const IndexShape& shape) {
  const Result<os::File> file = os::File::open(paths.index(shape.number), O_RDWR);
  if (!file) return file.error();
  return file->allocate(shape.bytes());
}

Result<Control::Found> Control::look(const Paths& paths) {
  Result<os::File> file = os::File::open(paths.control(), O_RDONLY);
  if (!file && file.error().code() == Errc::not_found) {
    const Result<std::string> newer = newer_alone(paths);
    if (!newer) return newer.error();
    if (!newer->empty()) return made_by_newer(paths, "it has " + *newer + ", and this one knows v1");
    return Found::damaged;
  }
  if (!file) return file.error();
  alignas(ControlPage) std::array<std::byte, sizeof(ControlPage)> bytes{};
  const Result<std::size_t> got = file->read_at(0, bytes);
  if (!got) return got.error();
  const auto& page = *reinterpret_cast<const ControlPage*>(bytes.data());
  if (*got < bytes.size() || page.magic != k_control_magic || page.checksum != control_checksum(page)) {
    return Found::damaged;
  }
  const std::string formats =
      "its format is " + std::to_string(page.format) + ", and this one knows " + std::to_string(k_format);
  if (page.format > k_format) return made_by_newer(paths, formats);
  if (page.format < k_format) {
    return Error(Errc::incompatible_format,
                 "the store in " + paths.root.string() + " was made by an older larder: " + formats,
                 "use that larder, or another directory, or rm -r " + paths.v1().string() +
                     " (what it holds is computed again)");
  }
  if (page.features != 0) {
    return made_by_newer(paths, "this one does not know its features " + std::to_string(page.features));
  }
  const Geometry geometry{page.segment_bytes, page.segment_slots, page.index_buckets_log2, page.gen_log2,
                          page.journal_log2};
  const Result<std::uint64_t> size = file->size();
  if (!size) return size.error();
  return geometry.plausible() && *size == geometry.control_bytes() ? Found::whole : Found::damaged;
}

Result<Control> Control::create(const Paths& paths, const Geometry& geometry, std::uint64_t limit) {
  Result<os::Mapping> mapping =
      make_mapped_file(paths.control(), paths.audience, geometry.control_bytes(), geometry.control_bytes());
  if (!mapping) return mapping.error();
  Control control;
  control.mapping_ = *std::move(mapping);
  control.slots_ = geometry.segment_slots;
  ControlPage& page = control.page();
  page.format = k_format;
  page.segment_bytes = geometry.segment_bytes;
  page.segment_slots = geometry.segment_slots;
  page.index_buckets_log2 = geometry.index_buckets_log2;
  page.gen_log2 = geometry.gen_log2;
  page.journal_log2 = geometry.journal_log2;
  os::random_bytes(page.uuid);
  page.boot_id = os::boot_id();
  page.sequence = std::uint64_t{1} << 40;
  page.next_segment_id = 1;
  page.index = IndexShape::made(1, 0, limit).word();
  page.journal_number = 1;
  page.limit = limit;
  page.floor_inverse = ~std::uint64_t{0};
  return control;
}

void Control::make_valid() noexcept {
  page().magic = k_control_magic;
  page().checksum = control_checksum(page());
}

Result<Control> Control::open(const Paths& paths, os::Mapping::Access access) {
  const Result<os::File> file = open_for(paths.control(), access);
  if (!file) return file.error();
  const Result<std::uint64_t> size = file->size();
  if (!size) return size.error();
  if (*size < k_page_bytes) return damaged(paths.control(), "is short");
  Result<os::Mapping> mapping = os::Mapping::map(*file, *size, access);
  if (!mapping) return mapping.error();
  Control control;
  control.mapping_ = *std::move(mapping);
  control.slots_ = control.page().segment_slots;
  if (*size != control.geometry().control_bytes()) return damaged(paths.control(), "has the wrong size");
  return control;
}

std::uint64_t Control::floor() const noexcept {
  return std::max(page().floor.load(), ~page().floor_inverse.load());
}

void Control::raise_floor(std::uint64_t sequence) const noexcept {
  // Each copy by itself: whoever is killed in between, or meets another one here, leaves no copy too low.
  base::raise(page().floor, sequence);
  std::atomic<std::uint64_t>& inverse = page().floor_inverse;
  std::uint64_t now = inverse.load();
  while (now > ~sequence && !inverse.compare_exchange_weak(now, ~sequence)) continue;
}

std::span<SegmentEntry> Control::used_segments() const noexcept {
  const std::span<SegmentEntry> all = segments();
  const auto unused = std::ranges::find_if(all, [](const SegmentEntry& entry) {
    return entry.id.load(std::memory_order_relaxed) == 0 && entry.committed.load(std::memory_order_relaxed) == 0;
  });
  return all.first(static_cast<std::size_t>(unused - all.begin()));
}

bool Control::publishing(const Digest& fingerprint, std::optional<std::uint32_t> except) const noexcept {
  const std::span<SegmentEntry> used = used_segments();
  for (std::uint32_t slot = 0; slot < used.size(); ++slot) {
    if (used[slot].publishing.load() == key_mark(fingerprint) && slot != except) return true;
  }
  return false;
}

Result<bool> Control::in_place(const Paths& paths) const {
  Result<os::File> file = os::File::open(paths.control(), O_RDONLY);
  if (!file && file.error().code() == Errc::not_found) return false;
  if (!file) return file.error();
  alignas(ControlPage) std::array<std::byte, sizeof(ControlPage)> bytes{};
  const Result<std::size_t> got = file->read_at(0, bytes);
  if (!got) return got.error();
  return *got == bytes.size() &&
         std::memcmp(bytes.data() + offsetof(ControlPage, uuid), &page().uuid, sizeof(Uuid)) == 0;
}

Result<Table> Table::create(const std::filesystem::path& path, const os::Audience& audience, std::uint64_t magic,
                            const Uuid& uuid, std::uint64_t bytes, const std::function<void(std::byte*)>& fill) {
  Result<os::Mapping> mapping = make_mapped_file(path, audience, bytes, bytes);
  if (!mapping) return mapping.error();
  if (fill) fill(mapping->data());
  const TablePage page = make_table_page(magic, uuid);
  std::memcpy(mapping->data(), &page, sizeof page);
  Table table;
  table.mapping_ = *std::move(mapping);
  return table;
}

Result<Table> Table::open(const std::filesystem::path& path, std::uint64_t magic, const Uuid& uuid,
                          std::uint64_t bytes) {
  Result<os::Mapping> mapping = map_file(path, bytes);
  if (!mapping) return mapping.error();
  if (!valid_table_page({mapping->data(), mapping->size()}, magic, uuid)) return damaged(path, "is damaged");
  Table table;
  table.mapping_ = *std::move(mapping);
  return table;
}

TagTable tags_in(const Table& gen, const Control& control) noexcept {
  return {generations_in(gen.data(), control.geometry()), control.page().sequence};
}

void invalidate_all_tags(std::byte* gen, const Geometry& geometry, std::uint64_t moment) noexcept {
  for (TagTable::Counter& generation : generations_in(gen, geometry)) generation = moment;
}

}  // namespace larder::store
