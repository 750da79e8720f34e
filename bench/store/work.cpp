#include "work.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "harness/child.hpp"
#include "harness/timing.hpp"
#include "peers/uses.hpp"

namespace bench {
namespace {

// A value to put: a private mapping of the file that all processes share, so that eight of them that put a gigabyte
// each do not have eight in memory.
class Source {
 public:
  Source(const std::filesystem::path& file, std::size_t bytes) : bytes_(bytes) {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), file.string());
    data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (data_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), file.string());
  }
  ~Source() { munmap(data_, bytes_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] Bytes value(std::uint64_t number) {
    const std::uint64_t word = value_word(number);
    std::memcpy(data_, &word, std::min(sizeof(word), bytes_));
    return {static_cast<const std::byte*>(data_), bytes_};
  }

 private:
  std::size_t bytes_;
  void* data_;
};

// Waits to be told, then calls `operation(i)` for each i, and leaves the samples.
template <class Prepare, class Operate>
void sample(const Work& work, const Prepare& prepare, const Operate& operate) {
  std::vector<std::int64_t> samples(work.operations);
  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  const std::int64_t start = now_ns();
  for (std::uint64_t i = 0; i < work.operations; ++i) {
    prepare(i);
    const std::int64_t before = now_ns();
    operate(i);
    samples[i] = now_ns() - before;
    if (work.pause_us != 0) std::this_thread::sleep_for(std::chrono::microseconds(work.pause_us));
  }
  const std::int64_t end = now_ns();
  std::ofstream out(work.samples, std::ios::binary);
  out.write(reinterpret_cast<const char*>(samples.data()),
            static_cast<std::streamsize>(samples.size() * sizeof(samples[0])));
  if (!out.flush()) throw std::runtime_error("cannot write " + work.samples.string());
  std::cout << start << ' ' << end << std::endl;
}

template <class P>
void put(P& peer, const Work& work) {
  Source source(work.source, work.setup.value_bytes);
  std::vector<Key> keys;
  keys.reserve(work.operations);
  for (std::uint64_t i = 0; i < work.operations; ++i) keys.emplace_back(work.first + i);
  Bytes value;
  sample(
      work, [&](std::uint64_t i) { value = source.value(work.first + i); },
      [&](std::uint64_t i) { peer.put(keys[i], value); });
}

template <class P>
void get(P& peer, const Work& work) {
  const std::vector<Lookup> lookups = make_lookups(work.spread, work.setup.records, work.operations);
  for (std::uint64_t i = 0; i < work.setup.records; ++i) look(peer, work.how, {Key(i), i}, work.setup.value_bytes);
  sample(
      work, [](std::uint64_t) {}, [&](std::uint64_t i) { look(peer, work.how, lookups[i], work.setup.value_bytes); });
}

template <class P>
void play(const Work& work) {
  P peer(work.directory, work.setup);
  switch (work.operation) {
    case Operation::fill:
      fill(peer, work.setup);
      return peer.finish();
    case Operation::fill_and_wait:
      fill(peer, work.setup, work.operations);
      std::cout << "full" << std::endl;
      for (;;) pause();
    case Operation::put:
      return put(peer, work);
    case Operation::get:
      return get(peer, work);
  }
}

Child start(const System& system, const Work& work) {
  std::vector<std::string> words = work.words();
  if (!system.python) {
    words.insert(words.begin(), "--role");
    return Child(words);
  }
  words.insert(words.begin(), python_script());
  return Child(words, k_python);
}

}  // namespace

std::vector<std::string> Work::words() const {
  return {system,
          std::to_string(static_cast<int>(operation)),
          directory.string(),
          std::to_string(setup.value_bytes),
          std::to_string(setup.records),
          std::to_string(static_cast<int>(setup.purpose)),
          std::to_string(operations),
          std::to_string(first),
          std::to_string(static_cast<int>(how)),
          std::to_string(static_cast<int>(spread)),
          std::to_string(pause_us),
          source.string(),
          samples.string()};
}

Work Work::from_words(const std::vector<std::string>& words) {
  return {words.at(0),
          static_cast<Operation>(std::stoi(words.at(1))),
          words.at(2),
          {std::stoull(words.at(3)), std::stoull(words.at(4)), static_cast<Purpose>(std::stoi(words.at(5)))},
          std::stoull(words.at(6)),
          std::stoull(words.at(7)),
          static_cast<How>(std::stoi(words.at(8))),
          static_cast<Spread>(std::stoi(words.at(9))),
          std::stoull(words.at(10)),
          words.at(11),
          words.at(12)};
}

Measured measure(const System& system, const std::vector<Work>& works) {
  std::vector<Child> children;
  children.reserve(works.size());
  for (const Work& work : works) children.push_back(start(system, work));
  for (Child& child : children) {
    if (child.read_line() != "ready") throw std::runtime_error(system.name + " is not ready");
  }
  for (Child& child : children) child.write_line("go");
  Measured measured{};
  std::int64_t first = INT64_MAX;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < works.size(); ++i) {
    std::istringstream line(children[i].read_line());
    std::int64_t start = 0;
    std::int64_t end = 0;
    if (!(line >> start >> end)) throw std::runtime_error(system.name + " said something unexpected");
    first = std::min(first, start);
    last = std::max(last, end);
    children[i].join();
    std::vector<std::int64_t> samples(works[i].operations);
    std::ifstream in(works[i].samples, std::ios::binary);
    in.read(reinterpret_cast<char*>(samples.data()), static_cast<std::streamsize>(samples.size() * sizeof(samples[0])));
    if (!in) throw std::runtime_error(system.name + " left too few samples");
    measured.ns.insert(measured.ns.end(), samples.begin(), samples.end());
  }
  measured.seconds = static_cast<double>(last - first) / 1e9;
  return measured;
}

void perform(const System& system, const Work& work) {
  start(system, work).join();
}

void kill_writer(const System& system, const std::filesystem::path& directory, const Setup& setup,
                 std::uint64_t there) {
  Child writer = start(system, {system.name, Operation::fill_and_wait, directory, setup, there});
  if (writer.read_line() != "full") throw std::runtime_error(system.name + " said something unexpected");
  writer.kill();
}

int play_role(const std::vector<std::string>& words) {
  const Work work = Work::from_words(words);
  for_each_store_peer([&]<class P>(std::type_identity<P>) {
    if (work.system == P::k_name) play<P>(work);
  });
  return 0;
}

}  // namespace bench
