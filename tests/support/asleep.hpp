// A thread that is known to wait: the kernel is asked whether it sleeps, not the clock how long it may take.
#pragma once

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace larder::test {

// Starts a thread that runs `body`, and returns when it sleeps or has ended.
template <class Body>
std::thread start_and_let_sleep(Body body) {
  const auto id = std::make_shared<std::promise<pid_t>>();
  std::thread thread([id, body = std::move(body)] {
    id->set_value(::gettid());
    body();
  });
  const std::string stat = "/proc/self/task/" + std::to_string(id->get_future().get()) + "/stat";
  while (true) {
    std::string line;
    // 1234 (name) S …
    if (!std::getline(std::ifstream(stat), line) || line[line.rfind(')') + 2] == 'S') return thread;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace larder::test
