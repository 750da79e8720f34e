#include "memory/readers.hpp"

#include <chrono>
#include <new>
#include <thread>

namespace larder::memory {
namespace {

// A reader that is still there after so many looks was interrupted: it needs the processor more than who waits for it.
constexpr int k_looks = 100;
constexpr int k_yields = 100;
constexpr auto k_pause = std::chrono::microseconds(50);

}  // namespace

Readers::~Readers() {
  for (const auto& chunk : chunks_) delete chunk.load();
}

// Chunks come in order, so that all below `used_` are there.
Readers::Line* Readers::first_line(unsigned number) noexcept {
  if (number >= k_chunk * k_chunks) return nullptr;
  for (unsigned i = 0; i <= number / k_chunk; ++i) {
    Chunk* chunk = chunks_[i].load();
    if (chunk != nullptr) continue;
    auto* fresh = new (std::nothrow) Chunk();
    if (fresh == nullptr) return nullptr;
    if (!chunks_[i].compare_exchange_strong(chunk, fresh)) delete fresh;
  }
  for (unsigned used = used_; used <= number && !used_.compare_exchange_weak(used, number + 1);) continue;
  return &(*chunks_[number / k_chunk].load())[number % k_chunk];
}

void Readers::wait() const noexcept {
  const unsigned used = used_.load();
  for (unsigned i = 0; i < used; ++i) {
    const std::atomic<std::uint32_t>& turns = (*chunks_[i / k_chunk].load())[i % k_chunk].turns;
    const std::uint32_t seen = turns.load();
    if (seen % 2 == 0) continue;
    for (int looks = 0; turns.load() == seen; ++looks) {
      if (looks < k_looks) continue;
      if (looks < k_looks + k_yields) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(k_pause);
      }
    }
  }
}

}  // namespace larder::memory
