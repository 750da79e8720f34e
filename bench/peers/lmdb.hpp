// LMDB: a B+-tree in a shared mapping, one writer, readers without locks.
#pragma once

#include <lmdb.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "peers/peer.hpp"

namespace bench {

class Lmdb {
 public:
  static constexpr const char* k_name = "lmdb";
  static std::vector<Access> accesses() { return {{How::view, "lmdb view"}, {How::copy, "lmdb copy"}}; }
  static std::string configuration() {
    return std::string(MDB_VERSION_STRING) +
           "; NOSYNC, NORDAHEAD, WRITEMAP below 4 KiB, one transaction a put; reads in one open transaction, whose "
           "views end with it; "
           "no checksums";
  }

  Lmdb(const std::filesystem::path& directory, const Setup& setup) {
    std::filesystem::create_directories(directory);
    check(mdb_env_create(&env_));
    // Room for the pages of copy-on-write and for values that take whole pages; the file stays sparse.
    check(mdb_env_set_mapsize(env_, 4 * setup.payload_bytes() + setup.records * 1024 + (std::size_t{1} << 28)));
    // NOSYNC: a cache need not survive power loss, unless that is asked for. WRITEMAP made puts of 100 B and 1 KiB two
    // to five times as quick, and those of 16 KiB and 1 MiB two to four times as slow.
    const unsigned write_map = setup.value_bytes < 4096 ? MDB_WRITEMAP : 0;
    const unsigned quick = setup.purpose == Purpose::survive_power ? 0 : MDB_NOSYNC | write_map;
    check(mdb_env_open(env_, directory.c_str(), MDB_NORDAHEAD | quick, 0600));
    MDB_txn* txn = begin(0);
    check(mdb_dbi_open(txn, nullptr, 0, &dbi_));
    check(mdb_txn_commit(txn));
  }
  ~Lmdb() {
    if (reader_ != nullptr) mdb_txn_abort(reader_);
    mdb_env_close(env_);
  }
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;

  void put(const Key& key, Bytes value) {
    MDB_txn* txn = begin(0);
    MDB_val k = as_val(key);
    MDB_val v{value.size(), const_cast<std::byte*>(value.data())};
    check(mdb_put(txn, dbi_, &k, &v, 0));
    check(mdb_txn_commit(txn));
  }

  template <class Read>
  bool get(const Key& key, How how, Read&& read) {
    if (reader_ == nullptr) reader_ = begin(MDB_RDONLY);
    MDB_val k = as_val(key);
    MDB_val v{};
    const int error = mdb_get(reader_, dbi_, &k, &v);
    if (error == MDB_NOTFOUND) return false;
    check(error);
    if (how == How::view) {
      read(Bytes(static_cast<const std::byte*>(v.mv_data), v.mv_size));
    } else {
      const auto copy = buffer(v.mv_size);
      std::memcpy(copy.get(), v.mv_data, v.mv_size);
      read(Bytes(copy.get(), v.mv_size));
    }
    return true;
  }

  void finish() {}

 private:
  static void check(int error) {
    if (error != 0) throw std::runtime_error(std::string("lmdb: ") + mdb_strerror(error));
  }
  static MDB_val as_val(const Key& key) { return {key.bytes.size(), const_cast<char*>(key.bytes.data())}; }
  MDB_txn* begin(unsigned flags) {
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, flags, &txn));
    return txn;
  }

  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  MDB_txn* reader_ = nullptr;  // opened by the first get, kept: the cheapest way to read
};

// The same, with every put on disk before it returns.
class LmdbSynced : public Lmdb {
 public:
  static constexpr const char* k_name = "lmdb sync";
  static std::string configuration() { return "as lmdb, but synced at every put; no WRITEMAP"; }

  LmdbSynced(const std::filesystem::path& directory, Setup setup)
      : Lmdb(directory, {setup.value_bytes, setup.records, Purpose::survive_power}) {}
};

}  // namespace bench
