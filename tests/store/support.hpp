// What the tests of the store share: a directory that goes away, a store on it, short ways to put and get,
// and hands to damage files with.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "observe/counters.hpp"
#include "os/os.hpp"
#include "store/control.hpp"
#include "store/slots.hpp"
#include "store/store.hpp"

namespace larder::store::test {

inline constexpr std::uint64_t k_mib = std::uint64_t{1} << 20;

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "larder-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] Paths files() const { return {path_}; }

 private:
  std::filesystem::path path_;
};

// One process's store, as far as the files can tell.
struct Process {
  explicit Process(const Directory& directory, std::optional<std::uint64_t> limit = 64 * k_mib,
                   Verification verification = Verification::boot)
      : options{directory.path(),   limit,     verification,
                Durability::synced, &counters, [this](const Event& event) { events.push_back(event); }} {
    open();
  }
  void open() {
    auto opened = Store::open(options);
    if (!opened) {
      ADD_FAILURE() << opened.error().what();
      std::abort();
    }
    store = *std::move(opened);
  }
  void reopen() {
    store.reset();
    open();
  }
  Put put(const Key& key, std::string_view value, std::int64_t expires_ms = k_no_expiry) {
    const Bytes bytes = std::as_bytes(std::span(value));
    return store->put(key, {"text", 5, 7, expires_ms}, std::span(&bytes, 1), store->stamp(key));
  }
  std::optional<std::string> get(const Key& key) {
    const Lookup lookup = store->get(key);
    if (!lookup.found) return std::nullopt;
    return text(lookup.found->value);
  }
  static std::string text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  [[nodiscard]] std::uint64_t counted(Counter counter) const {
    return counters.totals()[static_cast<std::size_t>(counter)];
  }

  observe::Counters counters;
  std::vector<Event> events;
  StoreOptions options;
  std::unique_ptr<Store> store;
};

// Bytes that differ from place to place and from seed to seed.
inline std::string noise(std::size_t bytes, std::uint64_t seed) {
  std::string text(bytes, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (char& c : text) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>(state >> 32);
  }
  return text;
}

// Changes one byte of a file.
inline void flip(const std::filesystem::path& path, std::uint64_t offset, std::uint8_t mask = 0xff) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const int old = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(old ^ mask));
  ASSERT_TRUE(file.good()) << path;
}

// What a restart of the machine does to a store that nobody has open: the boot id is another one.
inline void reboot(const Directory& directory) {
  flip(directory.files().control(), offsetof(ControlPage, boot_id));
}

inline std::vector<std::filesystem::path> segment_files(const Directory& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory.files().segments())) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A copy of the first segment's file as it is now, which the power can bring back whatever becomes of the file.
class KeptSegment {
 public:
  explicit KeptSegment(const Directory& directory)
      : directory_(directory), file_(segment_files(directory).front()), kept_(directory.path() / "kept") {
    std::filesystem::copy_file(file_, kept_);
  }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  void bring_back() const { std::filesystem::rename(kept_, file_); }
  // And takes all others.
  void bring_back_alone() const {
    for (const std::filesystem::path& file : segment_files(directory_)) std::filesystem::remove(file);
    bring_back();
  }

 private:
  const Directory& directory_;
  const std::filesystem::path file_;
  const std::filesystem::path kept_;
};

// Refuses calls, or does something at a named point.
class Twin : public os::Hooks {
 public:
  Twin() { os::install(this); }
  ~Twin() override { os::install(nullptr); }
  int before(os::Call call, const std::string& path) override { return refuse ? refuse(call, path) : 0; }
  void reached(const char* point) override {
    if (at) at(point);
  }
  std::function<int(os::Call, const std::string&)> refuse;
  std::function<void(std::string_view)> at;
};

// Works in a process that is killed at a named point.
inline void die_at(std::string_view point, const Directory& directory, const std::function<void(Process&)>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    Process dying(directory);
    Twin twin;
    twin.at = [&](std::string_view reached) {
      if (reached == point) ::raise(SIGKILL);
    };
    work(dying);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << point;
}

// The index of a store, whoever has it open.
struct ControlOf {
  Control control;
};
struct IndexOf : ControlOf, Slots {
  explicit IndexOf(const Directory& directory)
      : ControlOf{Control::open(directory.files()).value()},
        Slots(map_index(directory.files(), control.index()).value(), control.page().index) {}
};

// Fills what is empty of a key's buckets with slots of others, which lead to `at`.
inline void fill_buckets(const Directory& directory, const Key& key, Location at) {
  const IndexOf slots(directory);
  const Digest other{~key.fingerprint().low, ~key.fingerprint().high};
  for (const std::span<Slot> bucket : slots.buckets(key.fingerprint())) {
    for (Slot& slot : bucket) {
      if (slot.load() == 0) slot.store(pack_slot(other, at));
    }
  }
}

// Another key with the same two buckets.
inline Key neighbor_of(const Directory& directory, const Key& key) {
  const IndexOf slots(directory);
  const auto buckets = [&](const Key& of) {
    std::set<Slot*> of_key;
    for (const std::span<Slot> bucket : slots.buckets(of.fingerprint())) of_key.insert(bucket.data());
    return of_key;
  };
  const std::set<Slot*> wanted = buckets(key);
  std::int64_t number = 0;
  while (buckets(Key{"neighbor", number}) != wanted) ++number;
  return Key{"neighbor", number};
}

}  // namespace larder::store::test
