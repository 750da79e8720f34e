// Ten thousand threads that want one value while it is computed: how often it is computed, what waiting costs, and how
// long after its completion each has it, beside a bare condition variable that is notified.
//
// Threads have small stacks. Who computes goes on when all have come and the process has used hardly any processor time
// for a while: then they wait.
#include <pthread.h>

#include <larder/larder.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "harness/timing.hpp"
#include "memory/memory_bench.hpp"

namespace bench {
namespace {

// As many threads as could be made, up to a number, each calling work(its number) once; joined by the destructor.
class Crowd {
 public:
  Crowd(std::size_t threads_max, std::function<void(std::size_t)> work)
      : work_(std::move(work)), members_(threads_max) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, k_stack_bytes) != 0) {
      throw std::runtime_error("cannot choose the size of stacks");
    }
    threads_.reserve(threads_max);
    for (std::size_t i = 0; i < threads_max; ++i) {
      members_[i] = {this, i};
      pthread_t thread{};
      if (pthread_create(&thread, &attributes, run, &members_[i]) != 0) break;
      threads_.push_back(thread);
    }
    pthread_attr_destroy(&attributes);
  }
  ~Crowd() {
    for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  [[nodiscard]] std::size_t size() const { return threads_.size(); }

 private:
  static constexpr std::size_t k_stack_bytes = 64 << 10;

  struct Member {
    Crowd* crowd = nullptr;
    std::size_t number = 0;
  };
  static void* run(void* argument) {
    const auto& member = *static_cast<const Member*>(argument);
    member.crowd->work_(member.number);
    return nullptr;
  }

  const std::function<void(std::size_t)> work_;
  std::vector<Member> members_;
  std::vector<pthread_t> threads_;
};

// What is taken down of one crowd that waits.
struct Wait {
  explicit Wait(std::size_t waiters) : woken_ns(waiters) {}
  std::vector<std::int64_t> woken_ns;    // when each had the value
  std::atomic<std::size_t> come{0};      // have begun to ask for it
  std::atomic<std::size_t> expected{0};  // 0: not known yet
  std::atomic<int> computations{0};
  double cpu_ms_per_s = 0;
  std::int64_t completed_ns = 0;

  // What who computes does: lets everybody come, looks what waiting takes, completes.
  void compute(std::chrono::milliseconds watched) {
    ++computations;
    const auto all_come = [this] { return expected != 0 && come == expected; };
    while (!all_come()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    wait_until_quiet();
    const std::int64_t cpu_before = cpu_ns();
    const std::int64_t start = now_ns();
    std::this_thread::sleep_for(watched);
    cpu_ms_per_s = 1e3 * static_cast<double>(cpu_ns() - cpu_before) / static_cast<double>(now_ns() - start);
    completed_ns = now_ns();
  }
  [[nodiscard]] std::vector<double> readings() const {
    const std::size_t waiters = expected;
    std::vector<std::int64_t> after;
    for (std::size_t i = 0; i < waiters; ++i) after.push_back(woken_ns[i] - completed_ns);
    const auto ms = [&](double q) { return static_cast<double>(quantile(after, q)) / 1e6; };
    return {static_cast<double>(waiters), static_cast<double>(computations), cpu_ms_per_s, ms(0.5), ms(0.99), ms(1)};
  }

 private:
  // Until it has used less than a hundredth of a processor for a fifth of a second, or ten seconds long.
  static void wait_until_quiet() {
    constexpr std::chrono::milliseconds k_while(200);
    constexpr int k_times_max = 50;
    std::int64_t before = cpu_ns();
    for (int i = 0; i < k_times_max; ++i) {
      std::this_thread::sleep_for(k_while);
      const std::int64_t now = cpu_ns();
      if (now - std::exchange(before, now) < std::chrono::nanoseconds(k_while).count() / 100) return;
    }
  }
};

struct Scale {
  std::size_t waiters;
  std::chrono::milliseconds watched;
};

std::vector<double> wait_for_larder(const Scale& scale) {
  larder::Options options;
  options.store = 0;
  larder::Cache cache = larder::Cache::open(options).value();
  Wait wait(scale.waiters);
  const larder::Key key("answer");
  std::atomic<bool> leads{false};
  const auto compute = [&] {
    leads = true;
    leads.notify_one();
    wait.compute(scale.watched);
    return 42;
  };
  {
    const std::jthread leader([&] { cache.get_or_compute(key, compute); });
    leads.wait(false);
    const Crowd crowd(scale.waiters, [&](std::size_t i) {
      ++wait.come;
      cache.get_or_compute(key, compute);
      wait.woken_ns[i] = now_ns();
    });
    wait.expected = crowd.size();
  }
  return wait.readings();
}

std::vector<double> wait_for_condition(const Scale& scale) {
  Wait wait(scale.waiters);
  std::mutex mutex;
  std::condition_variable condition;
  bool complete = false;  // guarded by mutex
  {
    const Crowd crowd(scale.waiters, [&](std::size_t i) {
      ++wait.come;
      {
        std::unique_lock lock(mutex);
        condition.wait(lock, [&] { return complete; });
      }
      wait.woken_ns[i] = now_ns();
    });
    wait.expected = crowd.size();
    wait.compute(scale.watched);
    {
      const std::lock_guard lock(mutex);
      complete = true;
    }
    condition.notify_all();
  }
  return wait.readings();
}

}  // namespace

void waiters(Bench& bench) {
  const std::string name = "waiters/one key";
  if (!bench.wants(name)) return;
  const bool quick = bench.options().quick;
  const Scale scale{quick ? 200U : 10'000U, std::chrono::milliseconds(quick ? 100 : 1'000)};
  bench.race_side_by_side(
      name,
      "up to " + std::to_string(scale.waiters) +
          " threads that wait for one computation: processor time while they do, and from its end until they have the "
          "value",
      {{"threads", Better::higher}, {"computations"}, {"CPU ms/s"}, {"p50 ms"}, {"p99 ms"}, {"last ms"}},
      {{"larder get_or_compute", true, [scale] { return wait_for_larder(scale); }},
       {"condition variable", false, [scale] { return wait_for_condition(scale); }}},
      {}, {1, bench.options().repetitions});
}

}  // namespace bench
