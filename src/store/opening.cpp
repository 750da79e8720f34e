#include "store/opening.hpp"

#include <fcntl.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <system_error>

#include <larder/units.hpp>

#include "base/bits.hpp"
#include "store/journal.hpp"
#include "store/rebuild.hpp"

namespace larder::store {

namespace {

constexpr std::string_view k_cachedir_tag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This directory holds cached results of larder. Deleting it is safe and costs only time.\n";

// Refuses a file system that the store cannot trust.
Result<void> check_file_system(const std::filesystem::path& directory) {
  const Result<os::FileSystem> system = os::file_system(directory);
  if (!system) return system.error();
  if (system->trusted) return {};
  return Error(Errc::unsupported_filesystem,
               directory.string() + " is on " + system->name + ", where processes cannot share a store safely",
               "set LARDER_DIR to a directory on a local file system (ext4, xfs, btrfs or tmpfs)");
}

// A directory of the store, as far as its users have to agree on whose it is.
struct Place {
  std::filesystem::path path;
  bool root;  // it may be one that the user made
};

Result<void> check_private(const Place& place, const os::Ownership& found) {
  const std::string name = place.path.string();
  if (found.mode == os::Audience{found.group}.directory_mode()) {
    const std::string group = "group:" + os::group_name(found.group);
    return Error(Errc::permission, name + " is shared with " + group,
                 "open it with Options::shared = \"" + group + "\" (the tool: --shared " + group +
                     "), or choose another directory");
  }
  if (found.owner != os::current_user()) {
    return Error(Errc::permission, name + " belongs to another user", "choose a directory of your own");
  }
  if ((found.mode & 022) != 0) {
    return Error(Errc::permission, name + " may be written by other users", "chmod go-w " + name);
  }
  if (!place.root && (found.mode & 077) != 0) {
    return Error(Errc::permission, name + " may be read by other users", "chmod go= " + name);
  }
  return {};
}

Result<void> check_shared(const Place& place, const os::Ownership& found, gid_t group) {
  const mode_t mode = os::Audience{group}.directory_mode();
  if (found.group == group && found.mode == mode) return {};
  const auto octal = [](mode_t bits) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(bits));
    return std::string(text.data());
  };
  const std::string name = place.path.string();
  const std::string wanted = os::group_name(group);
  const std::string share = place.root ? "chgrp " + wanted + " " + name + " && chmod " + octal(mode) + " " + name
                                       : "chgrp -R " + wanted + " " + name + " && chmod -R ug=rwX,o= " + name +
                                             " && find " + name + " -type d -exec chmod g+s {} +";
  return Error(Errc::permission,
               name + " is not shared with group:" + wanted + ": its group is " + os::group_name(found.group) +
                   ", its mode " + octal(found.mode) + " and not " + octal(mode),
               "to share it: " + share + "; or open it without Options::shared (the tool: without --shared)");
}

// Refuses a directory that others than the audience may use, or that the audience may not. It is left as it is.
Result<void> check_place(const Place& place, const os::Audience& audience) {
  const Result<os::Ownership> found = os::ownership(place.path);
  if (!found) return found.error();
  if (!found->directory) {
    return Error(Errc::io, place.path.string() + " is a link or no directory, and not used", "delete it");
  }
  return audience.group ? check_shared(place, *found, *audience.group) : check_private(place, *found);
}

Result<void> delete_all(const Paths& paths) {
  if (Result<void> gone = os::unlink(paths.control()); !gone) return gone;
  os::reached("store.create.control_gone");
  for (const auto& directory : {paths.segments(), paths.v1()}) {
    const Result<std::vector<std::string>> names = os::list(directory);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      // What is half made is in nobody's way. It is no empty directory if the power took the name that it was given,
      // and not what was made in it then.
      if (name == "seg" || name == "locks" || os::half_made(name)) continue;
      if (Result<void> gone = os::unlink(directory / name); !gone) return gone;
    }
  }
  return {};
}

Error limit_too_small(const Paths& paths, std::uint64_t limit, const Geometry& geometry) {
  constexpr std::uint64_t k_mib = std::uint64_t{1} << 20;
  return {Errc::invalid_option,
          "Options::store is " + format_size(limit) + ", too little for the store in " + paths.root.string() +
              ", which takes at least " + format_size(geometry.smallest_limit()),
          "set it to " + size_text(base::align_up(geometry.smallest_limit(), k_mib)) + " or more; 0: no store"};
}

Result<void> create(const StoreOptions& options, Opened& store) {
  const std::uint64_t limit = options.limit.value_or(k_limit_default);
  const Geometry geometry = Geometry::for_limit(limit);
  if (limit < geometry.smallest_limit()) return limit_too_small(store.paths, limit, geometry);
  if (Result<void> gone = delete_all(store.paths); !gone) return gone;
  Result<Control> control = Control::create(store.paths, geometry, limit);
  if (!control) return control.error();
  os::reached("store.create.control");
  const os::Audience& audience = store.paths.audience;
  const Uuid& uuid = control->page().uuid;
  Result<Table> gen = Table::create(store.paths.gen(), audience, k_gen_magic, uuid, geometry.gen_bytes());
  if (!gen) return gen.error();
  if (Result<void> made = Journal::make(store.paths, *control, 1, {}, Journal::Sync::later); !made) return made;
  Result<Table> stats = Table::create(store.paths.stats(), audience, k_stats_magic, uuid, k_stats_bytes);
  if (!stats) return stats.error();
  Result<Table> waits = Table::create(store.paths.waits(), audience, k_waits_magic, uuid, k_waits_bytes);
  if (!waits) return waits.error();
  Result<os::Mapping> index = make_index(store.paths, control->index());
  if (!index) return index.error();
  os::reached("store.create.files");
  control->make_valid();
  os::reached("store.create.valid");
  store.control = *std::move(control);
  store.gen = *std::move(gen);
  store.stats = *std::move(stats);
  store.waits = *std::move(waits);
  store.index = *std::move(index);
  return {};
}

// Gives the files that are written through mappings real room. A copy of a store may have holes, where such a write
// raises SIGBUS on a full disk. REQUIRES: nobody has the store open.
Result<void> fill_holes(const Paths& paths, const Control& control) {
  const Geometry geometry = control.geometry();
  const IndexShape index = control.index();
  struct Mapped {
    std::filesystem::path path;
    std::uint64_t bytes;
    std::uint64_t bytes_max;
  };
  const Mapped files[] = {{paths.control(), geometry.control_bytes(), geometry.control_bytes()},
                          {paths.index(index.number), index.bytes(), index.bytes_max()},
                          {paths.gen(), geometry.gen_bytes(), geometry.gen_bytes()},
                          {paths.stats(), k_stats_bytes, k_stats_bytes},
                          {paths.waits(), k_waits_bytes, k_waits_bytes}};
  for (const auto& [path, bytes, bytes_max] : files) {
    const Result<os::File> file = os::File::open(path, O_RDWR);
    if (!file && !lost(file.error())) return file.error();
    const Result<std::uint64_t> size = file ? file->size() : Result<std::uint64_t>(file.error());
    if (!size || *size < bytes || *size > bytes_max) continue;  // who maps it says why
    if (Result<void> filled = file->allocate(*size); !filled) return filled;
  }
  return {};
}

// In an overlay, a file out of an image's layer becomes another file when it is first opened for writing, and who has
// mapped it by then never sees what is appended. So that happens before anybody maps it.
void make_appendable(const Paths& paths, const Control& control, Trouble& trouble) {
  for (const SegmentEntry& entry : control.segments()) {
    if (entry.state.load() != SegmentState::open) continue;
    const Result<os::File> file = os::File::open(paths.segment(entry.id.load()), O_RDWR);
    if (!file && !lost(file.error())) trouble.note(file.error(), paths.segment(entry.id.load()).string());
  }
}

// A sequence number that was given out must not be given out again: newer records would seem older.
bool sequence_plausible(const Control& control) {
  const std::uint64_t next = control.page().sequence.load();
  return std::ranges::all_of(control.segments(),
                             [next](const SegmentEntry& entry) { return entry.last_sequence.load() < next; });
}

// In place of a journal that is lost, while the index is still known to be right: after the next restart nothing that
// is stored now is believed.
Result<void> begin_journal(const Paths& paths, const Control& control, Trouble& trouble) {
  trouble.note(Counter::fault_damaged_file, paths.journal(control.page().journal_number.load()).string(),
               "the journal in " + paths.v1().string() +
                   " is damaged or gone: after the next restart of the machine nothing that is stored now is found");
  const JournalEntry everything{0, control.last_sequence(), JournalKind::all, 0, 0};
  return Journal::begin(paths, control, std::span(&everything, 1));
}

// The file whose lock says that somebody has the store open: control itself, so that who cannot see the locks of
// others, because their files were deleted, sees the others.
Result<void> open_presence(Opened& store) {
  Result<std::unique_ptr<OwnedLockFile>> file = OwnedLockFile::own(os::LockFile::open_existing(store.paths.control()));
  if (!file) return file.error();
  store.presence = *std::move(file);
  return {};
}

Result<void> open_locks(Opened& store, Missing missing) {
  Result<LeaseFiles> leases = open_lease_files(store.paths, missing);
  if (!leases) return leases.error();
  Result<PinFiles> pins = open_pin_files(store.paths, missing);
  if (!pins) return pins.error();
  store.leases = *std::move(leases);
  store.pins = *std::move(pins);
  return {};
}

// Opens what is there. False: it must be made anew.
Result<bool> adopt(Opened& store, bool alone, Trouble& trouble) {
  if (const Result<void> locks = open_locks(store, alone ? Missing::made : Missing::refused); !locks) {
    if (!lost(locks.error())) return locks.error();
    return false;
  }
  Result<Control> control = Control::open(store.paths);
  if (!control) return control.error();
  if (alone) {
    if (Result<void> filled = fill_holes(store.paths, *control); !filled) return filled.error();
  }
  ControlPage& page = control->page();
  const os::BootId boot = os::boot_id();
  // Somebody else uses the store: then the machine has not restarted since.
  bool trusted = !alone || (page.boot_id == boot && boot != os::BootId{} && sequence_plausible(*control));

  const Geometry geometry = control->geometry();
  const os::Audience& audience = store.paths.audience;
  Result<Table> gen = Table::open(store.paths.gen(), k_gen_magic, page.uuid, geometry.gen_bytes());
  if (!gen && !lost(gen.error())) return gen.error();
  if (!gen && !alone) return false;
  if (!gen) {
    // Of keys only running processes remember stamps, and there are none; of tags the records do.
    const std::uint64_t moment = trusted ? control->last_sequence() : UINT64_MAX;
    gen = Table::create(store.paths.gen(), audience, k_gen_magic, page.uuid, geometry.gen_bytes(),
                        [&](std::byte* data) { invalidate_all_tags(data, geometry, moment); });
    if (!gen) return gen.error();
  }
  Result<os::Mapping> index = map_index(store.paths, control->index());
  if (!index && !lost(index.error())) return index.error();
  if (!index && !alone) return false;
  trusted = trusted && index.has_value();
  if (!trusted) {
    if (Result<void> rebuilt = rebuild(store.paths, *control, *gen, trouble); !rebuilt) return rebuilt.error();
    index = map_index(store.paths, control->index());
    if (!index) return index.error();
  }
  if (trusted) {  // else it was just made
    if (const Result<void> journal = Journal::look(store.paths, *control); !journal) {
      if (!lost(journal.error())) return journal.error();
      if (!alone) return false;
      if (Result<void> begun = begin_journal(store.paths, *control, trouble); !begun) return begun.error();
    }
  }
  if (alone) make_appendable(store.paths, *control, trouble);
  // What is lost with one of these is only what was counted, or who waits for whom.
  const auto open_or_make = [&](const std::filesystem::path& path, std::uint64_t magic, std::uint64_t bytes) {
    Result<Table> table = Table::open(path, magic, page.uuid, bytes);
    if (table || !lost(table.error())) return table;
    trouble.note(table.error(), path.string());
    return Table::create(path, audience, magic, page.uuid, bytes);
  };
  Result<Table> stats = open_or_make(store.paths.stats(), k_stats_magic, k_stats_bytes);
  if (!stats) return stats.error();
  Result<Table> waits = open_or_make(store.paths.waits(), k_waits_magic, k_waits_bytes);
  if (!waits) return waits.error();
  store.control = *std::move(control);
  store.gen = *std::move(gen);
  store.stats = *std::move(stats);
  store.waits = *std::move(waits);
  store.index = *std::move(index);
  return true;
}

// Indexes and journals that were replaced, or not finished, and what somebody was killed over. REQUIRES: nobody else
// has the store open. Who is late to make a directory in here finds that it is there.
void delete_old_files(const Opened& store, Trouble& trouble) {
  const ControlPage& page = store.control.page();
  const std::string index = store.paths.index(store.control.index().number).filename().string();
  const std::string journal = store.paths.journal(page.journal_number.load()).filename().string();
  const Result<std::vector<std::string>> names = os::list(store.paths.v1());
  if (!names) return trouble.note(names.error(), store.paths.v1().string());
  for (const std::string& name : *names) {
    const bool old = os::half_made(name) || (name.starts_with("index.") && name != index) ||
                     (name.starts_with("journal.") && name != journal);
    if (!old) continue;
    if (const Result<void> gone = os::unlink(store.paths.v1() / name); !gone) trouble.note(gone.error(), name);
  }
}

Result<void> open_locked(const StoreOptions& options, Opened& store, Trouble& trouble) {
  const Result<Control::Found> found = Control::look(store.paths);
  if (!found) return found.error();
  bool alone = true;
  bool adopted = false;
  if (*found == Control::Found::whole) {
    if (Result<void> opened = open_presence(store); !opened) return opened;
    alone = !store.presence->file().held_elsewhere(k_lock_present);
    const Result<bool> kept = adopt(store, alone, trouble);
    if (!kept) return kept.error();
    adopted = *kept;
  }
  if (!adopted) {
    if (Result<void> created = create(options, store); !created) return created;
    if (Result<void> opened = open_presence(store); !opened) return opened;
    if (Result<void> opened = open_locks(store, Missing::made); !opened) return opened;
  }
  if (alone) delete_old_files(store, trouble);
  ControlPage& page = store.control.page();
  if (options.limit) {
    const Geometry geometry = store.control.geometry();
    if (*options.limit < geometry.smallest_limit()) return limit_too_small(store.paths, *options.limit, geometry);
    if (page.limit.load() != *options.limit) page.limit.store(*options.limit);
  }
  const Result<bool> present = store.presence->file().try_lock_shared(k_lock_present);
  if (!present) return present.error();
  return {};
}

}  // namespace

Result<Opened> open_files(const StoreOptions& options, Trouble& trouble) {
  Opened store;
  const os::Audience& audience = store.paths.audience = options.audience;
  if (Result<void> made = os::make_directories(options.directory, audience); !made) return made.error();
  std::error_code failed;
  store.paths.root = std::filesystem::canonical(options.directory, failed);
  if (failed) return os::error(failed.value(), "resolve", options.directory.string());
  if (Result<void> checked = check_file_system(store.paths.root); !checked) return checked.error();
  if (Result<void> checked = check_place({store.paths.root, true}, audience); !checked) return checked.error();
  // Before anything is made: a store of another format stays as it is.
  if (const Result<Control::Found> known = Control::look(store.paths); !known) {
    if (known.error().code() == Errc::incompatible_format) return known.error();
    trouble.note(known.error(), store.paths.control().string());  // what else there is to say of it is said below
  }
  for (const auto& directory : {store.paths.v1(), store.paths.segments(), store.paths.locks()}) {
    if (Result<void> made = os::make_directories(directory, audience); !made) return made.error();
    if (Result<void> checked = check_place({directory, false}, audience); !checked) return checked.error();
  }
  if (Result<void> written = os::write_once(store.paths.root / "CACHEDIR.TAG", k_cachedir_tag, audience); !written) {
    return written.error();
  }
  if (Result<void> written = os::write_once(store.paths.root / ".gitignore", "*\n", audience); !written) {
    return written.error();
  }

  const Result<std::unique_ptr<OwnedLockFile>> opening =
      OwnedLockFile::own(os::LockFile::open(store.paths.locks() / "open", audience));
  if (!opening) return opening.error();
  if (Result<void> locked = (*opening)->file().lock(k_lock_opening); !locked) return locked.error();
  if (Result<void> opened = open_locked(options, store, trouble); !opened) return opened.error();
  return store;
}

}  // namespace larder::store
