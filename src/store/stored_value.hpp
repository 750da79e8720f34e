// A value of the store that is read in parts: no more of it is brought in and verified than is asked for.
#pragma once

#include <memory>

#include "store/store.hpp"

namespace larder::store {

// Pins the value's segment: the bytes stay where they are, and count against the limit, for as long as it lives.
//
// Thread-safe. Does not outlive the Store. In a forked child it goes on.
class StoredValue {
 public:
  struct Lookup;
  // The key's value, if get() would find it.
  [[nodiscard]] static Lookup find(Store& store, const Key& key);
  ~StoredValue();
  StoredValue(StoredValue&&) noexcept;
  StoredValue& operator=(StoredValue&&) noexcept;

  [[nodiscard]] const Meta& meta() const noexcept;
  [[nodiscard]] std::uint64_t size() const noexcept;
  // Up to `bytes` bytes from `offset` on, in place; fewer only at the value's end. Every MiB that they touch is
  // verified as StoreOptions::verification asks. One that is damaged is counted, named by the error, and forgotten with
  // its value; the others stay readable.
  [[nodiscard]] Result<Bytes> range(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  struct State;
  explicit StoredValue(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct StoredValue::Lookup {
  std::optional<StoredValue> value;
  Miss miss = Miss::absent;
};

}  // namespace larder::store
