#include "store/segments.hpp"

#include <fcntl.h>
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "base/bits.hpp"

namespace larder::store {

namespace {

using Words = std::vector<std::atomic<std::uint64_t>>;

// Calls visit(word, mask) for the words in which the bits from `first` to `last` are.
template <class Visit>
void each_word(Words& words, std::uint64_t first, std::uint64_t last, const Visit& visit) {
  for (std::uint64_t word = first / 64; word <= last / 64; ++word) {
    std::uint64_t mask = ~std::uint64_t{0};
    if (word == first / 64) mask &= ~std::uint64_t{0} << (first % 64);
    if (word == last / 64) mask &= ~std::uint64_t{0} >> (63 - last % 64);
    visit(words[word], mask);
  }
}

bool all_set(Words& words, std::uint64_t first, std::uint64_t last) {
  bool set = true;
  each_word(words, first, last, [&set](const auto& word, std::uint64_t mask) {
    set = set && (word.load(std::memory_order_relaxed) & mask) == mask;
  });
  return set;
}

}  // namespace

bool Segments::Pin::has(Mark mark, std::uint64_t offset) const noexcept {
  const std::uint64_t bit = offset / k_view_bytes_min;
  const auto& words = place_->marks[static_cast<std::size_t>(mark)];
  return (words[bit / 64].load(std::memory_order_relaxed) >> (bit % 64) & 1) != 0;
}

void Segments::Pin::set(Mark mark, std::uint64_t offset) const noexcept {
  const std::uint64_t bit = offset / k_view_bytes_min;
  auto& words = place_->marks[static_cast<std::size_t>(mark)];
  words[bit / 64].fetch_or(std::uint64_t{1} << (bit % 64), std::memory_order_relaxed);
}

Result<void> Segments::Pin::bring_in(Bytes part) const {
  if (part.empty()) return {};
  const auto offset = static_cast<std::uint64_t>(part.data() - bytes().data());
  const std::uint64_t end = offset + part.size();
  if (all_set(place_->pages, offset / k_page_bytes, (end - 1) / k_page_bytes)) return {};
  // What lies around it is often asked for, too.
  const std::uint64_t from = offset / k_view_bytes_min * k_view_bytes_min;
  const std::uint64_t to = std::min(base::align_up(end, k_view_bytes_min), committed_);
  if (Result<void> ready = populate(bytes().subspan(from, to - from)); !ready) return ready;
  each_word(place_->pages, from / k_page_bytes, (to - 1) / k_page_bytes,
            [](auto& word, std::uint64_t mask) { word.fetch_or(mask, std::memory_order_relaxed); });
  return {};
}

Result<void> Segments::Pin::bring_in_record(std::uint64_t offset) const {
  const Bytes all = bytes();
  if (offset + sizeof(RecordHeader) > all.size()) return {};  // there is none
  // A header is in one page: it is aligned.
  const std::uint64_t page = offset / k_page_bytes;
  if (!all_set(place_->pages, page, page)) {
    if (Result<void> ready = bring_in(all.subspan(offset, sizeof(RecordHeader))); !ready) return ready;
  }
  RecordHeader header{};
  std::memcpy(&header, all.data() + offset, sizeof header);
  const std::uint64_t value_bytes = header.value_bytes <= k_view_bytes_min ? k_record_align + header.value_bytes : 0;
  const std::uint64_t record_bytes = sizeof header + header.body_bytes + value_bytes;
  const Bytes record = all.subspan(offset, std::min<std::uint64_t>(record_bytes, all.size() - offset));
  if (Result<void> ready = bring_in(record); !ready) return ready;
  if ((header.flags & k_flag_table_trails) == 0) return {};
  return bring_in(all.last(std::min(all.size(), chunk_count(header.value_bytes) * 8 + k_record_align)));
}

std::optional<RecordView> Segments::Pin::record(std::uint64_t offset) const {
  return bring_in_record(offset) ? read_record(bytes(), seed(), offset) : std::nullopt;
}

std::shared_ptr<const void> Segments::Pin::share() && {
  struct Owner {
    std::shared_ptr<Segments> segments;  // goes after the pin
    Pin pin;
  };
  std::shared_ptr<Segments> segments = segments_->shared_from_this();
  return std::make_shared<Owner>(Owner{std::move(segments), std::move(*this)});
}

Segments::Segments(const Paths& paths, const Control& control, PinFiles pins, Trouble& trouble, std::size_t mapped_max)
    : paths_(paths),
      control_(control),
      trouble_(trouble),
      pins_(std::move(pins)),
      mapped_max_(mapped_max),
      places_(control.segments().size()) {}

std::shared_ptr<Segments> Segments::open(const Paths& paths, const Control& control, PinFiles pins, Trouble& trouble,
                                         std::size_t mapped_max) {
  return std::shared_ptr<Segments>(new Segments(paths, control, std::move(pins), trouble, mapped_max));
}

Segments::~Segments() {
  for (std::uint32_t slot = 0; slot < places_.size(); ++slot) close(slot);
}

Segments::Pin Segments::map(std::uint32_t slot) {
  const SegmentEntry& entry = control_.segment(slot);
  const std::uint64_t id = entry.id.load(std::memory_order_acquire);
  if (id == 0 || !alive(entry.state.load(std::memory_order_acquire))) return Pin(Why::absent);
  const auto same = [&] {
    return entry.id.load(std::memory_order_acquire) == id && alive(entry.state.load(std::memory_order_acquire));
  };

  std::unique_lock lock(mutex_);
  Place& place = places_[slot];
  if ((place.state.load(std::memory_order_acquire) & 1) != 0) {
    lock.unlock();
    return pin(slot);
  }
  if (mapped_ >= mapped_max_) {
    for (std::uint32_t other = 0; other < places_.size(); ++other) close_locked(other);
  }
  const std::string path = paths_.segment(id).string();
  const auto refuse = [&](const Error& error) {
    const bool file_is_bad = error.code() == Errc::not_found || error.code() == Errc::damaged;
    if (file_is_bad && !same()) return Pin(Why::absent);  // reclaimed meanwhile
    trouble_.note(error, path);
    return Pin(file_is_bad ? Why::damaged : Why::refused);
  };
  Result<os::File> file = os::File::open(path, O_RDONLY);
  if (!file) return refuse(file.error());
  if (const Result<void> marked = file->mark_in_use(); !marked) return refuse(marked.error());
  // First what is committed, then what is there: the segment may be growing.
  const std::uint64_t committed = entry.committed.load(std::memory_order_acquire);
  os::reached("store.map.committed");
  const Result<std::uint64_t> size = file->size();
  if (!size) return refuse(size.error());
  if (*size < committed || committed < sizeof(SegmentHeader)) return refuse({Errc::damaged, path + " is short"});
  // An open segment grows under its mapping.
  const std::uint64_t bytes = entry.kind.load(std::memory_order_relaxed) == SegmentKind::shared
                                  ? std::max(*size, control_.page().segment_bytes)
                                  : *size;
  Result<os::Mapping> mapping = os::Mapping::map(*file, bytes, os::Mapping::Access::read);
  if (!mapping) return refuse(mapping.error());
  const Result<bool> locked = pin_file(slot).file().try_lock_shared(slot);
  if (!locked) return refuse(locked.error());
  if (!*locked || !same()) {
    if (*locked) pin_file(slot).unlock(slot);
    return Pin(Why::absent);
  }

  place.id = id;
  place.seed = segment_seed(control_.page().uuid, id);
  place.mapping = *std::move(mapping);
  place.path = path;
  for (auto& words : place.marks) words = std::vector<std::atomic<std::uint64_t>>(bytes / k_view_bytes_min / 64 + 1);
  place.pages = std::vector<std::atomic<std::uint64_t>>(bytes / k_page_bytes / 64 + 1);
  ++mapped_;
  place.state.fetch_add(3, std::memory_order_release);
  return {*this, place, slot, std::min(committed, bytes)};
}

bool Segments::pinned(std::uint32_t slot) const noexcept {
  return places_[slot].state.load(std::memory_order_relaxed) > 1 || pin_file(slot).file().held_elsewhere(slot);
}

bool Segments::close(std::uint32_t slot) {
  const std::lock_guard lock(mutex_);
  return close_locked(slot);
}

bool Segments::close_locked(std::uint32_t slot) {
  Place& place = places_[slot];
  std::uint64_t idle = 1;
  if (!place.state.compare_exchange_strong(idle, 0, std::memory_order_acquire)) return (idle & 1) == 0;
  place.mapping = os::Mapping();
  for (auto& words : place.marks) words.clear();
  place.pages.clear();
  --mapped_;
  pin_file(slot).unlock(slot);
  return true;
}

void Segments::close_idle() {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t slot = 0; slot < places_.size(); ++slot) close_locked(slot);
}

void Segments::close_retired() {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t slot = 0; slot < places_.size(); ++slot) {
    if ((places_[slot].state.load(std::memory_order_relaxed) & 1) != 0 &&
        !alive(control_.segment(slot).state.load(std::memory_order_acquire))) {
      close_locked(slot);
    }
  }
}

void Segments::check() {
  const std::lock_guard lock(mutex_);
  std::size_t open = 0;
  for (std::uint32_t slot = 0; slot < places_.size(); ++slot) {
    const Place& place = places_[slot];
    if ((place.state.load() & 1) == 0) {
      if (place.state.load() != 0) throw std::logic_error("Segments: a closed place is referred to");
      if (place.mapping.size() != 0) throw std::logic_error("Segments: a closed place is mapped");
      continue;
    }
    ++open;
    if (place.id != control_.segment(slot).id.load()) throw std::logic_error("Segments: a mapped entry was freed");
    const Result<os::LockFile> other = os::LockFile::open_existing(paths_.pin(slot % k_pin_files));
    if (other && !other->held_elsewhere(slot)) throw std::logic_error("Segments: a mapped segment is not pinned");
  }
  if (open != mapped_) throw std::logic_error("Segments: the open places are miscounted");
}

void Segments::end() noexcept {
  ended_.store(true);
  close_idle();
}

}  // namespace larder::store
