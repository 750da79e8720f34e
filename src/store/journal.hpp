// The journal: what a rebuild must not bring back, although its record is still in a segment.
//
// While the machine runs the index says what is current, and nobody asks the journal. When it has restarted, records
// are all there is, and maybe not all of them: the system writes pages out in any order, so the power may take a
// newer record and leave the older one. So whatever hides a record (a removal, an overwrite, an invalidation, a clear,
// a slot that is cleared for another reason) is noted here before it shows; and it is *synced* before the call that
// hid it returns, unless Durability::relaxed.
//
// Invariants:
//   (1) An entry is written, never changed, and goes only when no segment holds a record that it hides.
//   (2) Appending, and replacing the file, happen under the journal's lock, between processes and threads. Where the
//       file cannot take an entry, the floor is raised instead: all that is as old is forgotten at the next restart.
//   (3) The file `journal.<n>` is whole, entry for entry, or nothing in the segments is believed.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include <larder/options.hpp>

#include "base/mutex.hpp"
#include "os/os.hpp"
#include "store/control.hpp"
#include "store/locks.hpp"
#include "store/trouble.hpp"

namespace larder::store {

// What a journal says, and what is left of it when the records are known.
class Hidden {
 public:
  explicit Hidden(std::vector<JournalEntry> entries);

  // Whether a rebuild must not bring the record back. Its entry counts as needed from here on.
  [[nodiscard]] bool hides(std::uint64_t segment_id, const FooterItem& item);
  // Needed is what hides all of a segment: nobody is to read it any more, but its file is there.
  void keep_segment(std::uint64_t segment_id);
  // The entries that hid something, and those of keys in `marks`.
  [[nodiscard]] std::vector<JournalEntry> needed(const std::set<std::uint64_t>& marks) const;
  // Calls `visit(tag, moment)` for the tags that were invalidated.
  template <class Visit>
  void for_each_tag(const Visit& visit) const {
    for (const Rule& rule : rules_) {
      if (rule.entry.kind == JournalKind::tag) visit(rule.entry.subject, rule.entry.until);
    }
  }

 private:
  struct Rule {
    JournalEntry entry;
    bool needed = false;
  };
  [[nodiscard]] Rule* first(JournalKind kind, std::uint64_t subject, std::uint64_t until);

  std::vector<Rule> rules_;  // by kind, subject and until; of keys, tags and `all` only the one that reaches furthest
};

// Makes the entries fewer, at most `count`: the oldest give way to one that hides everything as old as they reach. So
// what is lost with the next restart is what reclaim would have taken next. `last`: the last sequence that was given
// out.
void shorten(std::vector<JournalEntry>& entries, std::uint64_t count, std::uint64_t last);

class Journal {
 public:
  Journal(const Paths& paths, const Control& control, const LeaseFiles& leases, Trouble& trouble,
          Durability durability) noexcept
      : paths_(paths), control_(control), leases_(leases), trouble_(trouble), durability_(durability) {}

  // How far the journal has to be synced before a call returns; 0: it does not.
  using Position = std::uint64_t;

  // Records of the key of up to that sequence are gone.
  Position note_key(const Digest& fingerprint, std::uint64_t until) {
    return append(JournalKind::key, key_mark(fingerprint), until);
  }
  // The tag was invalidated at that moment.
  Position note_tag(TagId tag, std::uint64_t moment) { return append(JournalKind::tag, tag, moment); }
  // Everything of up to that sequence is gone.
  Position note_all(std::uint64_t until) { return append(JournalKind::all, 0, until); }
  // No slot will lead to the key's records of up to that sequence, to that record, or to any in that segment, any more,
  // for another reason than these. Who then removes such a key, or puts it anew, cannot know of the record: so every
  // sync() includes this from here on. The first one is for records that can be read: there may be copies of them.
  void note_forgotten(const Digest& fingerprint, std::uint64_t until) {
    note_cleared(JournalKind::key, key_mark(fingerprint), until);
  }
  void note_record(Location at);
  void note_segment(std::uint64_t id);
  // Every sync() includes that from here on. To be called before the slot of a record goes that it hides: who then puts
  // or removes the key finds nothing, and must not return before nothing can come back.
  void require(Position position) noexcept;
  // What hides a record that is not out of date is synced by whoever put the newer one, before that put has returned.
  // Until then it is owed: the newer one may be out of date by itself, and who puts that over, or removes it, could
  // think that nothing has to be synced.
  void owe(Position position) noexcept;
  [[nodiscard]] Position owed() const noexcept { return control_.page().journal_owed.load(); }
  // Calls note(), then clear(), which clears what was noted; and note() once more if a record was moved meanwhile: a
  // compaction may have dropped the entry, having seen the record in its old place no more and in the new one not yet.
  template <class Note, class Clear>
  void note_and_clear(const Note& note, const Clear& clear) {
    const std::uint64_t moved = control_.page().moved.load();
    note();
    clear();
    if (control_.page().moved.load() != moved) note();
  }
  // Returns when that is on disk.
  void sync(Position position);
  // Drops entries that hide nothing any more if the file is filling up. Called about once a second.
  void maintain();

  // What a file holds: all that was ever appended to it, or less.
  struct Contents {
    std::vector<JournalEntry> entries;
    bool whole = false;
  };
  // What the file in force holds.
  [[nodiscard]] Contents contents() const;
  // Puts a new file in force, with these entries and with what can be read of the old one. False, and told, if it could
  // not be made.
  bool renew(std::vector<JournalEntry> entries);
  // The first places of one file, and all files that are there: after a kill there may be two.
  static Result<Contents> read(const Paths& paths, const Control& control, std::uint64_t number, std::uint64_t places);
  static Result<Contents> read_all(const Paths& paths, const Control& control);
  // Whether the file in force is there and can be opened: if not, Errc::not_found or Errc::damaged if it is lost. Its
  // entries are not read.
  static Result<void> look(const Paths& paths, const Control& control);
  // Makes `journal.<number>` with these entries; under that name it is whole from the first moment.
  enum class Sync : std::uint8_t { now, later };
  static Result<void> make(const Paths& paths, const Control& control, std::uint64_t number,
                           std::span<const JournalEntry> entries, Sync sync);
  // Makes the next one, on disk, and puts it in force. REQUIRES: the journal's lock, or that nobody else has the store
  // open.
  static Result<void> begin(const Paths& paths, const Control& control, std::span<const JournalEntry> entries);

 private:
  class Lock;
  Position append(JournalKind kind, std::uint64_t subject, std::uint64_t until);
  void note_cleared(JournalKind kind, std::uint64_t subject, std::uint64_t until);
  // Both REQUIRE the journal's lock.
  Result<void> follow();
  Result<void> replace(std::span<const JournalEntry> entries);
  void compact();
  Result<void> try_to_compact();

  const Paths& paths_;
  const Control& control_;
  const LeaseFiles& leases_;
  Trouble& trouble_;
  const Durability durability_;
  base::Mutex mutex_;
  std::shared_ptr<const os::File> file_;  // guarded by mutex_, as are the next two
  std::uint64_t number_ = 0;              // of file_
  std::uint64_t kept_ = 0;                // entries that the last compaction left
  base::Mutex sync_mutex_;                // held by the thread that syncs: those who wait mostly need not, afterwards
};

}  // namespace larder::store
