// larder itself, through its public API, with the memory tier off: every get asks the store.
#pragma once

#include <larder/larder.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include "peers/peer.hpp"

namespace bench {

class Larder {
 public:
  static constexpr const char* k_name = "larder";
  // One way only: larder decides by size whether it copies (up to 16 KiB) or pins a view.
  static std::vector<Access> accesses() { return {{How::view, "larder get"}}; }
  static std::string configuration() {
    return "memory tier off, write-through; compares the full key and verifies checksums (copied values on every hit, "
           "views once a boot)";
  }

  Larder(const std::filesystem::path& directory, const Setup& setup,
         larder::WriteMode write = larder::WriteMode::through)
      : cache_(open(directory, setup, write)) {}

  void put(const Key& key, Bytes value) {
    const auto outcome = cache_.put<Bytes>(key.key, Borrowed{value});
    // Superseded: keys share change counters, so while this process waited for a processor, other processes' puts of
    // other keys may have changed both of this one's. The record was written all the same, and is not found.
    if (outcome.in_store != larder::PutOutcome::Store::written &&
        outcome.in_store != larder::PutOutcome::Store::superseded) {
      throw std::runtime_error("larder: the put was refused");
    }
  }

  template <class Read>
  bool get(const Key& key, How, Read&& read) {
    const auto value = cache_.get<Bytes>(key.key);
    if (!value) return false;
    read(value->get());
    return true;
  }

  void finish() {}

 protected:
  [[nodiscard]] larder::Cache& cache() noexcept { return cache_; }

 private:
  // Lends a value to the cache for the duration of a write-through put: nothing keeps it afterwards.
  struct Borrowed {
    Bytes bytes;
    operator Bytes() const { return bytes; }  // NOLINT(google-explicit-constructor)
  };

  static larder::Cache open(const std::filesystem::path& directory, const Setup& setup, larder::WriteMode write) {
    larder::Options options;
    options.directory = directory;
    // The index has one slot for each 8 KiB of the limit: enough that no record has to leave it.
    options.store = std::max<std::uint64_t>(
        {std::uint64_t{4} << 30, 3 * setup.payload_bytes(), setup.records * (std::uint64_t{32} << 10)});
    options.memory = 0;
    options.write = write;
    return larder::Cache::open(options).value();
  }

  larder::Cache cache_;
};

// The same, but put hands a copy of the value over to the thread that writes.
class LarderWriteBack : public Larder {
 public:
  static constexpr const char* k_name = "larder write-back";
  static std::vector<Access> accesses() { return {}; }
  static std::string configuration() { return "as larder, but puts are queued; a put that found the queue full fails"; }

  LarderWriteBack(const std::filesystem::path& directory, const Setup& setup)
      : Larder(directory, setup, larder::WriteMode::back) {}

  void put(const Key& key, Bytes value) {
    const auto outcome =
        cache().put<std::vector<std::byte>>(key.key, std::vector<std::byte>(value.begin(), value.end()));
    if (outcome.in_store != larder::PutOutcome::Store::queued) throw std::runtime_error("larder: the queue was full");
  }
};

}  // namespace bench
