// Who pins: the processes that hold a store's room are named to who is refused some.
#include "store/pins.hpp"
#include "store/inspect.hpp"
#include "store/streamed_put.hpp"
#include "store/support.hpp"

namespace larder::store {
namespace {

using namespace test;

constexpr std::uint64_t k_limit = 16 * k_mib;

// A forked child that does something, says so, and waits to be killed.
class Other {
 public:
  explicit Other(const std::function<void(const std::function<void()>& ready)>& work) {
    int pipe[2];
    if (::pipe(pipe) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      work([&] {
        if (::write(pipe[1], "!", 1) != 1) ::_exit(1);
        ::pause();
      });
      ::_exit(1);
    }
    ::close(pipe[1]);
    char byte = 0;
    EXPECT_EQ(::read(pipe[0], &byte, 1), 1) << "the child failed";
    ::close(pipe[0]);
  }
  ~Other() { end(); }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;
  void end() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

// Beside values of that size, eight of which are held, there is no room for a large one; and one of them may be
// reclaimed in vain.
constexpr std::size_t k_held_bytes = 3 * k_mib / 2;
constexpr std::size_t k_large_bytes = 6 * k_mib;

void put_all(Process& process) {
  for (int i = 0; i < 8; ++i) ASSERT_EQ(process.put(Key{"held", i}, noise(k_held_bytes, 1)), Put::stored);
}

std::vector<Lookup> hold_all(Process& process) {
  std::vector<Lookup> pins;
  for (int i = 0; i < 8; ++i) pins.push_back(process.store->get(Key{"held", i}));
  return pins;
}

const Holder* find_holder(const Holders& holders, pid_t pid) {
  const auto found = std::ranges::find(holders.list, pid, &Holder::pid);
  return found == holders.list.end() ? nullptr : &*found;
}

TEST(Pins, TheProcessThatHoldsTheRoomIsNamedToWhoIsRefusedSome) {
  const Directory directory;
  Process process(directory, k_limit);
  put_all(process);
  const Other other([&](const auto& ready) {
    Process reader(directory, k_limit);
    const std::vector<Lookup> pins = hold_all(reader);
    ready();
  });
  ASSERT_EQ(process.put(Key{"large"}, noise(k_large_bytes, 2)), Put::no_room);
  ASSERT_EQ(process.events.size(), 1u);
  const Event event = process.events[0];
  EXPECT_EQ(event.reason, Counter::not_stored_no_room);
  EXPECT_NE(event.text.find(directory.path().string()), std::string::npos) << event.text;
  EXPECT_NE(event.text.find(std::to_string(other.pid()) + " store_test ("), std::string::npos) << event.text;
  EXPECT_NE(event.text.find(" replaced or evicted"), std::string::npos) << event.text;
  EXPECT_EQ(process.put(Key{"large"}, noise(k_large_bytes, 2)), Put::no_room);
  EXPECT_EQ(process.events.size(), 1u) << "not again at once";

  const Holders holders = store::holders(directory.path()).value();
  const Holder* const holder = find_holder(holders, other.pid());
  ASSERT_NE(holder, nullptr);
  EXPECT_EQ(holders.list[0].pid, other.pid()) << "who holds most of what is gone comes first";
  EXPECT_GE(holder->bytes, 12 * k_mib);
  EXPECT_GT(holder->gone, 0u);
  EXPECT_LE(holder->gone, holders.gone);
  EXPECT_LE(holders.bytes, k_limit) << "what several processes map is counted once";
}

TEST(Pins, TheyAreNamedToWhoWritesByAndByToo) {
  const Directory directory;
  Process process(directory, k_limit);
  put_all(process);
  const std::vector<Lookup> pins = hold_all(process);
  const Meta meta{"text", 5, 7, k_no_expiry, {}};
  StreamedPut put(*process.store, Key{"large"}, meta, 0);
  const std::string value = noise(k_large_bytes, 2);
  EXPECT_FALSE(put.write(std::as_bytes(std::span(value))));
  EXPECT_EQ(put.publish(meta, {}, process.store->stamp(Key{"large"})), Put::no_room);
  ASSERT_EQ(process.events.size(), 1u);
  EXPECT_EQ(process.events[0].reason, Counter::not_stored_no_room);
}

TEST(Pins, AChildThatOnlyInheritedThemIsNamedToo) {
  const Directory directory;
  Process process(directory, k_limit);
  std::vector<Lookup> pins;
  ASSERT_EQ(process.put(Key{"held"}, noise(2 * k_mib, 1)), Put::stored);
  pins.push_back(process.store->get(Key{"held"}));
  Other child([](const auto& ready) { ready(); });
  pins.clear();
  process.store->clear();
  process.store->maintain();
  {
    const Holders holders = store::holders(directory.path()).value();
    const Holder* const holder = find_holder(holders, child.pid());
    ASSERT_NE(holder, nullptr);
    EXPECT_GE(holder->gone, 2 * k_mib);
    EXPECT_EQ(find_holder(holders, ::getpid()), nullptr);
  }
  child.end();
  EXPECT_EQ(store::holders(directory.path()).value().bytes, 0u);
}

TEST(Pins, WhoNobodyListensToIsToldNothing) {
  const Directory directory;
  Process process(directory, k_limit);
  process.store.reset();
  process.options.on_event = nullptr;
  process.open();
  put_all(process);
  const std::vector<Lookup> pins = hold_all(process);
  EXPECT_EQ(process.put(Key{"large"}, noise(k_large_bytes, 2)), Put::no_room);
}

TEST(Pins, AreDescribedInOneLine) {
  Holders holders;
  EXPECT_EQ(describe(holders), "no process that may be looked into holds values");
  holders.unreadable = 3;
  EXPECT_EQ(describe(holders), "no process that may be looked into holds values; 3 belong to other users");
  holders.list = {{7, "fit", 2 * k_mib, k_mib}};
  holders.bytes = 2 * k_mib;
  EXPECT_EQ(describe(holders), "1 process holds 2 MiB of values: 7 fit (2 MiB)");
  for (pid_t pid = 8; pid < 14; ++pid) holders.list.push_back({pid, "fit", 2 * k_mib, 0});
  holders.gone = k_mib;
  EXPECT_EQ(describe(holders),
            "7 processes hold 2 MiB of values, 1 MiB of them replaced or evicted: 7 fit (2 MiB), 8 fit (2 MiB), 9 fit "
            "(2 MiB), 10 fit (2 MiB), 11 fit (2 MiB), and 2 more");
}

}  // namespace
}  // namespace larder::store
