// Whose a store is: private to a user, or a group's. Every file and directory of it has the modes of that under any
// umask; a store of another audience, or with other modes, is refused with the reason and the cure, and left as it is.
//
// Members of a group are child processes that become other users; that takes root.
#include <grp.h>
#include <sys/stat.h>

#include <array>
#include <map>

#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr gid_t k_fab = 54321;
constexpr uid_t k_alice = 54001;
constexpr uid_t k_bob = 54002;
constexpr uid_t k_carol = 54003;  // not of the group

// Of which this process may make a store.
os::Audience our_group() {
  return {::geteuid() == 0 ? k_fab : ::getegid()};
}

// One process's store for an audience; its error if it is refused.
struct Opening {
  Opening(const std::filesystem::path& directory, const os::Audience& audience, std::uint64_t limit = 64 * k_mib) {
    auto opened = Store::open(
        {.directory = directory, .limit = limit, .counters = &counters, .on_event = {}, .audience = audience});
    if (opened) {
      store = *std::move(opened);
    } else {
      error = opened.error();
    }
  }
  // Why it was refused and what helps, in one text.
  [[nodiscard]] std::string refusal() const { return error ? std::string(error->what()) + "; " + error->help() : ""; }
  Put put(const Key& key, std::string_view value) const {
    const Bytes bytes = std::as_bytes(std::span(value));
    return store->put(key, {}, std::span(&bytes, 1), store->stamp(key));
  }
  [[nodiscard]] std::optional<std::string> get(const Key& key) const {
    const Lookup lookup = store->get(key);
    return lookup.found ? std::optional(Process::text(lookup.found->value)) : std::nullopt;
  }

  observe::Counters counters;
  std::unique_ptr<Store> store;
  std::optional<Error> error;
};

// Everything in a directory, itself included, as it would change if somebody touched it.
std::map<std::string, std::vector<std::uint64_t>> everything(const std::filesystem::path& directory) {
  std::map<std::string, std::vector<std::uint64_t>> all;
  const auto add = [&](const std::filesystem::path& path) {
    struct stat status {};
    ASSERT_EQ(::lstat(path.c_str(), &status), 0);
    all[path.string()] = {status.st_ino,
                          status.st_mode,
                          status.st_uid,
                          status.st_gid,
                          static_cast<std::uint64_t>(status.st_ctim.tv_sec),
                          static_cast<std::uint64_t>(status.st_ctim.tv_nsec)};
  };
  add(directory);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) add(entry.path());
  return all;
}

void expect_refused(const std::filesystem::path& directory, const os::Audience& audience,
                    const std::vector<std::string>& words) {
  const auto before = everything(directory);
  const Opening refused(directory, audience);
  ASSERT_TRUE(refused.error) << "it was opened";
  EXPECT_EQ(refused.error->code(), Errc::permission);
  EXPECT_NE(refused.error->help(), "");
  for (const std::string& word : words) EXPECT_NE(refused.refusal().find(word), std::string::npos) << refused.refusal();
  EXPECT_EQ(everything(directory), before);
}

// Starts `work` in a process of that user, who is in no group but `groups`.
pid_t start_as(uid_t user, const std::vector<gid_t>& groups, const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(9);
    ::umask(0077);
    ::_exit(work() ? 0 : 1);
  }
  return child;
}

// Whether its work answered true.
bool right(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool as(uid_t user, const std::vector<gid_t>& groups, const std::function<bool()>& work) {
  return right(start_as(user, groups, work));
}

TEST(Shared, EveryFileAndDirectoryHasTheModesOfItsAudienceUnderAnyUmask) {
  for (const ::mode_t mask : {0777U, 0000U, 0022U}) {
    for (const os::Audience& audience : {os::Audience{}, our_group()}) {
      SCOPED_TRACE(mask);
      const Directory parent;
      const std::filesystem::path directory = parent.path() / "store";
      const ::mode_t before = ::umask(mask);
      {
        const Opening first(directory, audience);
        ASSERT_TRUE(first.store) << first.refusal();
        EXPECT_EQ(first.put(Key{"small"}, "value"), Put::stored);
        EXPECT_EQ(first.put(Key{"large"}, noise(5'000'000, 1)), Put::stored);
      }
      const Opening second(directory, audience);
      ::umask(before);
      ASSERT_TRUE(second.store) << second.refusal();
      EXPECT_EQ(second.get(Key{"small"}), "value");
      std::size_t files = 0;
      for (const auto& [path, found] : everything(directory)) {
        const bool is_directory = S_ISDIR(found[1]);
        files += is_directory ? 0 : 1;
        EXPECT_EQ(found[1] & 07777, is_directory ? audience.directory_mode() : audience.file_mode()) << path;
        if (audience.group) {
          EXPECT_EQ(found[3], *audience.group) << path;
        }
      }
      EXPECT_GT(files, 80U);
    }
  }
}

TEST(Shared, MembersOfTheGroupUseOneStore) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become other users";
  const Directory parent;
  std::filesystem::permissions(parent.path(), std::filesystem::perms::all);
  const std::filesystem::path directory = parent.path() / "store";
  const os::Audience fab{k_fab};
  constexpr std::uint64_t k_limit = 32 * k_mib;
  const Key early{"early"};
  const Key removed{"removed"};
  const Key large{"large"};
  EXPECT_TRUE(as(k_alice, {k_fab}, [&] {
    const Opening alice(directory, fab, k_limit);
    return alice.store && alice.put(early, "of alice") == Put::stored &&
           alice.put(removed, "of alice") == Put::stored && alice.put(large, noise(5'000'000, 1)) == Put::stored;
  }));
  EXPECT_TRUE(as(k_bob, {k_fab}, [&] {
    const Opening bob(directory, fab, k_limit);
    return bob.store && bob.get(early) == "of alice" && bob.get(large) == noise(5'000'000, 1) &&
           bob.put(early, "of bob") == Put::stored && bob.store->remove(removed);
  }));
  EXPECT_TRUE(as(k_alice, {k_fab}, [&] {
    const Opening alice(directory, fab, k_limit);
    return alice.store && alice.get(early) == "of bob" && !alice.get(removed);
  }));
  const auto owned_by = [&](uid_t user) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory / "v1" / "seg")) {
      count += os::ownership(entry.path()).value().owner == user ? 1 : 0;
    }
    return count;
  };
  EXPECT_GT(owned_by(k_alice), 0U);
  EXPECT_TRUE(as(k_bob, {k_fab}, [&] {
    const Opening bob(directory, fab, k_limit);
    for (int i = 0; i < 100; ++i) {
      if (bob.put(Key{"fill", i}, noise(1'000'000, 1)) != Put::stored) return false;
    }
    return bob.get(Key{"fill", 99}).has_value();
  }));
  EXPECT_EQ(owned_by(k_alice), 0U) << "what she made is reclaimed by others";
  // A restart: who opens first rebuilds, whoever made the files.
  flip(directory / "v1" / "control", offsetof(ControlPage, boot_id));
  EXPECT_TRUE(as(k_alice, {k_fab}, [&] {
    const Opening alice(directory, fab, k_limit);
    return alice.store && alice.get(Key{"fill", 99}).has_value();
  }));
  EXPECT_TRUE(as(k_bob, {k_fab}, [&] {
    const Opening bob(directory, fab, k_limit);
    return bob.store && bob.get(Key{"fill", 99}).has_value() && bob.put(early, "again") == Put::stored;
  }));
}

TEST(Shared, MembersUseItAtTheSameTime) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become other users";
  const Directory parent;
  std::filesystem::permissions(parent.path(), std::filesystem::perms::all);
  const std::filesystem::path directory = parent.path() / "store";
  const os::Audience fab{k_fab};
  EXPECT_TRUE(as(k_alice, {k_fab}, [&] {
    const Opening first(directory, fab);
    return first.store && first.put(Key{"k"}, "first") == Put::stored;
  }));
  std::array<int, 2> told{};
  std::array<int, 2> done{};
  ASSERT_EQ(::pipe(told.data()), 0);
  ASSERT_EQ(::pipe(done.data()), 0);
  char byte = 0;
  const pid_t bob = start_as(k_bob, {k_fab}, [&] {
    const Opening opened(directory, fab);
    const bool put = opened.store && opened.put(Key{"k"}, "of bob") == Put::stored;
    const std::optional<Lease> lease = put ? opened.store->try_lease(Key{"led by bob"}) : std::nullopt;
    char signal = 0;
    return ::write(told[1], &signal, 1) == 1 && ::read(done[0], &signal, 1) == 1 && lease.has_value() &&
           opened.get(Key{"k"}) == "of alice";
  });
  ASSERT_EQ(::read(told[0], &byte, 1), 1);
  EXPECT_TRUE(as(k_alice, {k_fab}, [&] {
    const Opening opened(directory, fab);
    return opened.store && opened.get(Key{"k"}) == "of bob" && opened.put(Key{"k"}, "of alice") == Put::stored &&
           opened.store->try_lease(Key{"led"}) && !opened.store->try_lease(Key{"led by bob"});
  }));
  ASSERT_EQ(::write(done[1], &byte, 1), 1);
  EXPECT_TRUE(right(bob));
  for (const int fd : {told[0], told[1], done[0], done[1]}) ::close(fd);
}

TEST(Shared, NobodyMeetsWhatAMemberWasKilledOver) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become other users";
  bool ended = false;
  for (int kill_at = 0; !ended && kill_at < 1000; kill_at += kill_at < 12 ? 1 : 20) {
    SCOPED_TRACE(kill_at);
    const Directory parent;
    std::filesystem::permissions(parent.path(), std::filesystem::perms::all);
    const std::filesystem::path directory = parent.path() / "store";
    ended = as(k_alice, {k_fab}, [&] {
      ::umask(0777);
      Twin twin;
      int made = 0;
      twin.at = [&](std::string_view point) {
        if (point.ends_with(".half_made") && made++ == kill_at) ::raise(SIGKILL);
      };
      return Opening(directory, {k_fab}).put(Key{"k"}, "value") == Put::stored;
    });
    EXPECT_TRUE(as(k_bob, {k_fab}, [&] {
      const Opening bob(directory, {k_fab});
      return bob.store && bob.put(Key{"k"}, "value") == Put::stored && bob.get(Key{"k"}) == "value";
    }));
  }
  EXPECT_TRUE(ended) << "it makes fewer than that";
}

TEST(Shared, WhoIsNotOfTheGroupIsRefusedWithTheReason) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become other users";
  const Directory parent;
  std::filesystem::permissions(parent.path(), std::filesystem::perms::all);
  const std::filesystem::path directory = parent.path() / "store";
  EXPECT_TRUE(as(k_alice, {k_fab}, [&] { return Opening(directory, {k_fab}).store != nullptr; }));
  for (const os::Audience& audience : {os::Audience{}, os::Audience{k_fab}}) {
    EXPECT_TRUE(as(k_carol, {}, [&] {
      const Opening carol(directory, audience);
      return carol.error && carol.error->code() == Errc::permission &&
             carol.refusal().find(audience.group ? "Permission denied" : "is shared with group:") != std::string::npos;
    }));
  }
}

TEST(Shared, OneThatIsSharedIsNotOpenedAsAPrivateOne) {
  const Directory parent;
  const std::filesystem::path directory = parent.path() / "store";
  ASSERT_TRUE(Opening(directory, our_group()).store);
  const std::string name = "group:" + os::group_name(*our_group().group);
  expect_refused(directory, {}, {directory.string() + " is shared", name, "Options::shared = \"" + name + "\""});
}

TEST(Shared, OneThatIsPrivateIsNotWidened) {
  const Directory parent;
  const std::filesystem::path directory = parent.path() / "store";
  ASSERT_TRUE(Opening(directory, {}).store);
  expect_refused(directory, our_group(),
                 {directory.string() + " is not shared", "0700", "chmod 2770 " + directory.string()});
  // Nor if the directory alone is shared.
  std::filesystem::permissions(directory, std::filesystem::perms(02770));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(directory.c_str(), 0, k_fab), 0);
  }
  expect_refused(directory, our_group(), {(directory / "v1").string() + " is not shared", "find ", "chmod g+s"});
}

TEST(Shared, TheCureOfARefusalSharesAPrivateStore) {
  const Directory parent;
  const std::filesystem::path directory = parent.path() / "store";
  {
    const Opening ours(directory, {});
    ASSERT_TRUE(ours.store);
    EXPECT_EQ(ours.put(Key{"k"}, "value"), Put::stored);
  }
  const os::Audience group{::getegid()};  // that a shell knows by name
  for (int step = 0; step < 2; ++step) {
    const Opening refused(directory, group);
    ASSERT_TRUE(refused.error);
    const std::string& help = refused.error->help();
    const std::size_t from = help.find("chgrp ");
    ASSERT_EQ(std::system(help.substr(from, help.find(';') - from).c_str()), 0) << help;
  }
  const Opening shared(directory, group);
  ASSERT_TRUE(shared.store) << shared.refusal();
  EXPECT_EQ(shared.get(Key{"k"}), "value");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / "v1")) {
    EXPECT_EQ(os::ownership(entry.path()).value().mode, entry.is_directory() ? 02770U : 0660U) << entry.path();
  }
}

TEST(Shared, OneOfAnotherGroupOrWithOtherModesIsRefused) {
  const Directory parent;
  const std::filesystem::path directory = parent.path() / "store";
  ASSERT_TRUE(Opening(directory, our_group()).store);
  for (const ::mode_t mode : {02775U, 0770U, 02750U, 03770U}) {
    for (const auto& place : {directory, directory / "v1", directory / "v1" / "seg", directory / "v1" / "locks"}) {
      ASSERT_EQ(::chmod(place.c_str(), mode), 0);
      expect_refused(directory, our_group(), {place.string() + " is not shared", "and not 2770"});
      ASSERT_EQ(::chmod(place.c_str(), 02770), 0);
    }
  }
  expect_refused(directory, {*our_group().group + 1}, {directory.string() + " is not shared"});
  EXPECT_TRUE(Opening(directory, our_group()).store);
}

TEST(Private, LooseModesAreRefused) {
  const Directory parent;
  const std::filesystem::path directory = parent.path() / "store";
  ASSERT_TRUE(Opening(directory, {}).store);
  const auto refused_with = [&](const std::filesystem::path& place, ::mode_t mode, const std::string& cure) {
    SCOPED_TRACE(place);
    ASSERT_EQ(::chmod(place.c_str(), mode), 0);
    expect_refused(directory, {}, {place.string() + " may be ", cure + " " + place.string()});
    ASSERT_EQ(::chmod(place.c_str(), 0700), 0);
  };
  for (const auto& place : {directory, directory / "v1", directory / "v1" / "seg", directory / "v1" / "locks"}) {
    refused_with(place, 0720, "chmod go-w");
    refused_with(place, 0702, "chmod go-w");
    if (place != directory) refused_with(place, 0704, "chmod go=");
  }
  ASSERT_EQ(::chmod(directory.c_str(), 0755), 0);
  EXPECT_TRUE(Opening(directory, {}).store) << "a directory that the user made, as directories are made";
}

TEST(Private, AForeignOwnerIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give directories away";
  const Directory parent;
  const std::filesystem::path directory = parent.path() / "store";
  ASSERT_TRUE(Opening(directory, {}).store);
  for (const auto& place : {directory, directory / "v1", directory / "v1" / "seg", directory / "v1" / "locks"}) {
    ASSERT_EQ(::chown(place.c_str(), k_alice, k_alice), 0);
    expect_refused(directory, {}, {place.string() + " belongs to another user"});
    ASSERT_EQ(::chown(place.c_str(), 0, 0), 0);
  }
}

TEST(Private, ALinkInThePlaceOfAFileIsNotFollowed) {
  const Directory directory;
  const Key key{"k"};
  {
    Process process(directory);
    ASSERT_EQ(process.put(key, "value"), Put::stored);
  }
  const auto replaced = [&](const std::filesystem::path& path) {
    const std::filesystem::path aside = directory.path() / "aside";
    std::filesystem::rename(path, aside);
    std::filesystem::create_symlink(aside, path);
    return aside;
  };
  // What is behind the link is whole: only who follows it finds it.
  {
    const std::filesystem::path segment = segment_files(directory).at(0);
    const std::filesystem::path aside = replaced(segment);
    Process process(directory);
    EXPECT_EQ(process.get(key), std::nullopt);
    EXPECT_EQ(process.events.size(), 1u);
    process.store.reset();
    std::filesystem::rename(aside, segment);
  }
  {
    const std::filesystem::path aside = replaced(directory.files().control());
    const auto size = std::filesystem::file_size(aside);
    const Opening refused(directory.path(), {});
    ASSERT_TRUE(refused.error);
    EXPECT_NE(refused.refusal().find(directory.files().control().string()), std::string::npos) << refused.refusal();
    EXPECT_EQ(std::filesystem::file_size(aside), size);
    std::filesystem::rename(aside, directory.files().control());
  }
  for (const auto& place : {directory.files().segments(), directory.files().locks(), directory.files().v1()}) {
    const std::filesystem::path aside = replaced(place);
    const Opening refused(directory.path(), {});
    ASSERT_TRUE(refused.error);
    EXPECT_NE(refused.refusal().find(place.string() + " is a link"), std::string::npos) << refused.refusal();
    std::filesystem::remove(place);
    std::filesystem::rename(aside, place);
  }
  Process process(directory);
  EXPECT_EQ(process.get(key), "value");
}

TEST(Private, OfManyWhoMakeAStoreAtOnceAllOpenIt) {
  for (int round = 0; round < 10; ++round) {
    const Directory parent;
    std::array<int, 2> start{};
    ASSERT_EQ(::pipe(start.data()), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < 16; ++i) {
      children.push_back(::fork());
      if (children.back() != 0) continue;
      char byte = 0;
      ::close(start[1]);
      static_cast<void>(::read(start[0], &byte, 1));  // until nobody can write any more
      const Opening opened(parent.path() / "store", {});
      if (opened.error) std::fprintf(stderr, "%s\n", opened.refusal().c_str());
      ::_exit(opened.store ? 0 : 1);
    }
    ::close(start[0]);
    ::close(start[1]);
    for (const pid_t child : children) EXPECT_TRUE(right(child));
  }
}

TEST(Private, WhatAKilledProcessHadHalfMadeIsDeleted) {
  const Directory directory;
  Process process(directory);
  process.store.reset();
  std::ofstream(directory.files().v1() / ".larder-new-1") << "";
  std::filesystem::create_directory(directory.files().v1() / ".larder-new-2");
  process.open();
  EXPECT_FALSE(std::filesystem::exists(directory.files().v1() / ".larder-new-1"));
  EXPECT_FALSE(std::filesystem::exists(directory.files().v1() / ".larder-new-2"));
}

TEST(Private, ADirectoryThatThePowerLeftHalfMadeKeepsNobodyFromMakingAStore) {
  const Directory directory;
  for (const char* name : {"v1", "v1/.larder-new-1"}) {
    std::filesystem::create_directory(directory.path() / name);
    std::filesystem::permissions(directory.path() / name, std::filesystem::perms::owner_all);
  }
  std::filesystem::permissions(directory.path(), std::filesystem::perms::owner_all);
  std::ofstream(directory.files().v1() / ".larder-new-1" / "0000000000000001.seg") << "x";
  Process process(directory);
  EXPECT_EQ(process.put(Key{"k"}, "v"), Put::stored);
}

}  // namespace
}  // namespace larder::store
