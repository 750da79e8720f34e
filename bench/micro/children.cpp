// What this program does when it was started by itself: it fills a store for another process to read, or it holds a
// value while the parent counts memory.
#include <unistd.h>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "harness/timing.hpp"
#include "micro/micro.hpp"
#include "peers/uses.hpp"

namespace bench {
namespace {

std::vector<std::string> role(const std::string& name, const std::string& peer, const std::filesystem::path& directory,
                              const Setup& setup, How how = How::view) {
  return {"--role",
          name,
          peer,
          directory.string(),
          std::to_string(setup.value_bytes),
          std::to_string(setup.records),
          std::to_string(static_cast<int>(setup.purpose)),
          std::to_string(static_cast<int>(how))};
}

template <class P>
void hold(P& peer, const Setup& setup, How how) {
  const Key key(0);
  const long long private_before = own_memory_kb("Anonymous");
  const std::int64_t start = now_ns();
  const bool found = peer.get(key, how, [&](Bytes value) {
    expect_value(value, setup.value_bytes, 0);
    const std::int64_t first = now_ns() - start;
    const long long private_first = own_memory_kb("Anonymous") - private_before;
    const std::int64_t pause = now_ns();
    keep(sum_of_words(value));
    const std::int64_t every = first + now_ns() - pause;
    const long long private_every = own_memory_kb("Anonymous") - private_before;
    std::cout << first << ' ' << every << ' ' << private_first << ' ' << private_every << std::endl;
    std::string line;
    std::getline(std::cin, line);
    std::cout << own_memory_kb("Pss") << std::endl;
    std::getline(std::cin, line);
  });
  if (!found) throw std::runtime_error("the value to hold is not there");
}

template <class P>
void play(const std::string& name, const std::filesystem::path& directory, const Setup& setup, How how) {
  P peer(directory, setup);
  if (name == "hold") return hold(peer, setup, how);
  fill(peer, setup);
  if (name == "fill") return peer.finish();
  std::cout << "full" << std::endl;
  for (;;) pause();
}

}  // namespace

std::vector<std::string> fill_role(const std::string& peer, const std::filesystem::path& directory,
                                   const Setup& setup) {
  return role("fill", peer, directory, setup);
}

std::vector<std::string> fill_and_wait_role(const std::string& peer, const std::filesystem::path& directory,
                                            const Setup& setup) {
  return role("fill-and-wait", peer, directory, setup);
}

std::vector<std::string> hold_role(const std::string& peer, const std::filesystem::path& directory, const Setup& setup,
                                   How how) {
  return role("hold", peer, directory, setup, how);
}

Held parse_held(const std::string& line) {
  std::istringstream in(line);
  double first_ns = 0;
  double every_ns = 0;
  double first_kb = 0;
  double every_kb = 0;
  if (!(in >> first_ns >> every_ns >> first_kb >> every_kb)) throw std::runtime_error("a child said: " + line);
  return {first_ns / 1e3, every_ns / 1e6, first_kb / 1024, every_kb / 1024};
}

int play_role(const std::vector<std::string>& arguments) {
  const std::string& name = arguments.at(0);
  const Setup setup{std::stoull(arguments.at(3)), std::stoull(arguments.at(4)),
                    static_cast<Purpose>(std::stoi(arguments.at(5)))};
  const How how = static_cast<How>(std::stoi(arguments.at(6)));
  for_each_peer([&]<class P>(std::type_identity<P>) {
    if (arguments.at(1) == P::k_name) play<P>(name, arguments.at(2), setup, how);
  });
  return 0;
}

}  // namespace bench
