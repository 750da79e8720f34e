// RocksDB: a log-structured merge tree; values of 16 KiB or more in BlobDB files.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "peers/peer.hpp"

namespace bench {

class RocksDb {
 public:
  static constexpr const char* k_name = "rocksdb";
  static std::vector<Access> accesses() { return {{How::view, "rocksdb pinned slice"}, {How::copy, "rocksdb copy"}}; }
  static std::string configuration() {
    return std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." + std::to_string(ROCKSDB_PATCH) +
           "; no WAL (reopen: WAL), no sync, no compression, BlobDB from 16 KiB, caches that hold everything, "
           "compacted "
           "before reads; checksums verified when a block enters the cache, not on hits";
  }

  enum class Blobs { when_large, always, never };

  RocksDb(const std::filesystem::path& directory, const Setup& setup, Blobs blobs = Blobs::when_large) {
    std::filesystem::create_directories(directory);
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;  // the values do not compress
    options.write_buffer_size = 64 << 20;
    options.max_background_jobs = 2;
    options.info_log_level = rocksdb::ERROR_LEVEL;
    // Blocks and blobs are served from a cache that holds them all: quicker than reading the files' pages again.
    const auto cache = rocksdb::NewLRUCache(2 * setup.payload_bytes() + (std::size_t{256} << 20));
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
    table.format_version = 5;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    if (blobs == Blobs::always || (blobs == Blobs::when_large && setup.value_bytes >= 16 * 1024)) {
      options.enable_blob_files = true;
      options.min_blob_size = blobs == Blobs::always ? 0 : 4096;
      options.blob_cache = cache;
      // The quick way to read an open store of few files, taken when their number is unlimited, does not find blobs.
      if (setup.purpose == Purpose::read) options.max_open_files = 1'000;
    }
    check(setup.purpose == Purpose::read ? rocksdb::DB::OpenForReadOnly(options, directory.string(), &db_)
                                         : rocksdb::DB::Open(options, directory.string(), &db_));
    write_.sync = false;
    write_.disableWAL = setup.purpose == Purpose::speed;
  }
  ~RocksDb() {
    db_->Close();
    delete db_;
  }
  RocksDb(const RocksDb&) = delete;
  RocksDb& operator=(const RocksDb&) = delete;

  void put(const Key& key, Bytes value) {
    check(db_->Put(write_, key.bytes, rocksdb::Slice(reinterpret_cast<const char*>(value.data()), value.size())));
  }

  template <class Read>
  bool get(const Key& key, How how, Read&& read) {
    rocksdb::PinnableSlice slice;
    const rocksdb::Status status = db_->Get({}, db_->DefaultColumnFamily(), key.bytes, &slice);
    if (status.IsNotFound()) return false;
    check(status);
    if (how == How::view) {
      read(Bytes(reinterpret_cast<const std::byte*>(slice.data()), slice.size()));
    } else {
      const auto copy = buffer(slice.size());
      std::memcpy(copy.get(), slice.data(), slice.size());
      read(Bytes(copy.get(), slice.size()));
    }
    return true;
  }

  void finish() {
    check(db_->Flush({}));
    check(db_->CompactRange({}, nullptr, nullptr));
  }

 private:
  static void check(const rocksdb::Status& status) {
    if (!status.ok()) throw std::runtime_error("rocksdb: " + status.ToString());
  }

  rocksdb::DB* db_ = nullptr;
  rocksdb::WriteOptions write_;
};

// All values in the tree.
class RocksDbPoints : public RocksDb {
 public:
  static constexpr const char* k_name = "rocksdb points";
  static std::vector<Access> accesses() { return {{How::view, "rocksdb points"}}; }
  static std::string configuration() {
    return "no WAL, no compression, Bloom filters, hashed blocks, all values in the tree, caches that hold everything; "
           "put: "
           "into the memtable, lost with the process";
  }
  RocksDbPoints(const std::filesystem::path& directory, const Setup& setup) : RocksDb(directory, setup, Blobs::never) {}
};

// All values beside the tree.
class RocksDbBlobs : public RocksDb {
 public:
  static constexpr const char* k_name = "rocksdb blobs";
  static std::vector<Access> accesses() { return {{How::view, "rocksdb blobs"}}; }
  static std::string configuration() { return "as rocksdb points, but BlobDB for all values"; }
  RocksDbBlobs(const std::filesystem::path& directory, const Setup& setup) : RocksDb(directory, setup, Blobs::always) {}
};

}  // namespace bench
