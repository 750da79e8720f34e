// A put of a large value whose bytes come one after the other: at no time are all of them in memory.
//
// Until publish() nobody sees anything of it and the key keeps what it had; one that is destroyed before that, or
// whose process is killed, leaves nothing. What it takes counts against the limit from the start.
#pragma once

#include <memory>

#include "store/store.hpp"

namespace larder::store {

// Not thread-safe. Does not outlive the Store. A forked child does nothing but destroy it.
class StreamedPut {
 public:
  // `front_bytes` (less than a MiB) at the value's start are given to publish() alone: they may say what is only known
  // at the end. `meta`: its type and its tags count.
  StreamedPut(Store& store, const Key& key, const Meta& meta, std::uint64_t front_bytes);
  ~StreamedPut();
  StreamedPut(StreamedPut&&) noexcept;
  StreamedPut& operator=(StreamedPut&&) noexcept;

  // The bytes behind those that were written before. False: they are not wanted any more, since publish() will be
  // refused.
  bool write(Bytes bytes);
  // As Store::put of everything that was written, with what `meta` says of type and tags as in the beginning. Once.
  // REQUIRES: at least Store::large_bytes_min() bytes, front included, were written; `front` is as long as announced.
  Put publish(const Meta& meta, Bytes front, std::uint64_t stamp);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace larder::store
