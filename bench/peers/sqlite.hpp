// SQLite: one table, prepared statements, write-ahead log.
#pragma once

#include <sqlite3.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "peers/peer.hpp"

namespace bench {

class Sqlite {
 public:
  static constexpr const char* k_name = "sqlite";
  // A value in place lives only until the statement is reset, and above a page it is a copy already.
  static std::vector<Access> accesses() { return {{How::copy, "sqlite select"}}; }
  static std::string configuration() {
    return std::string(SQLITE_VERSION) +
           "; WAL, synchronous=OFF, one transaction a put, mmap reads, prepared statements; no checksums";
  }
  // The library refuses longer values (SQLITE_MAX_LENGTH).
  static constexpr std::uint64_t k_value_bytes_max = 1'000'000'000;

  Sqlite(const std::filesystem::path& directory, const Setup& setup) {
    std::filesystem::create_directories(directory);
    const std::string file = (directory / "store.sqlite").string();
    // NOMUTEX: the connection stays on one thread.
    check(
        sqlite3_open_v2(file.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr));
    check(sqlite3_busy_timeout(db_, 60'000));  // several processes write
    // Pages of 16 KiB keep chains of overflow pages short; small values do better in small pages.
    if (setup.value_bytes >= 16 * 1024) run("PRAGMA page_size = 16384");
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = OFF");
    run("PRAGMA mmap_size = 2147418112");
    run("PRAGMA cache_size = -262144");
    // The key's tree holds small values itself; large ones do better beside it (sqlite.org/withoutrowid.html).
    run(setup.value_bytes <= 200 ? "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID"
                                 : "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB)");
    select_ = prepare("SELECT v FROM kv WHERE k = ?");
    replace_ = prepare("INSERT OR REPLACE INTO kv VALUES (?, ?)");
  }
  ~Sqlite() {
    sqlite3_finalize(select_);
    sqlite3_finalize(replace_);
    sqlite3_close(db_);
  }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void put(const Key& key, Bytes value) {
    bind_key(replace_, key);
    check(sqlite3_bind_blob64(replace_, 2, value.data(), value.size(), SQLITE_STATIC));
    if (sqlite3_step(replace_) != SQLITE_DONE) check(sqlite3_errcode(db_));
    sqlite3_reset(replace_);
  }

  template <class Read>
  bool get(const Key& key, How, Read&& read) {
    bind_key(select_, key);
    const int step = sqlite3_step(select_);
    if (step == SQLITE_ROW) {
      const void* value = sqlite3_column_blob(select_, 0);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(select_, 0));
      const auto copy = buffer(size);
      std::memcpy(copy.get(), value, size);
      sqlite3_reset(select_);
      read(Bytes(copy.get(), size));
      return true;
    }
    sqlite3_reset(select_);
    if (step != SQLITE_DONE) check(sqlite3_errcode(db_));
    return false;
  }

  void finish() { run("PRAGMA wal_checkpoint(TRUNCATE)"); }

 private:
  void check(int error) {
    if (error != SQLITE_OK) throw std::runtime_error(std::string("sqlite: ") + sqlite3_errmsg(db_));
  }
  void run(const char* statement) { check(sqlite3_exec(db_, statement, nullptr, nullptr, nullptr)); }
  sqlite3_stmt* prepare(const char* statement) {
    sqlite3_stmt* prepared = nullptr;
    check(sqlite3_prepare_v3(db_, statement, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr));
    return prepared;
  }
  void bind_key(sqlite3_stmt* statement, const Key& key) {
    check(sqlite3_bind_blob(statement, 1, key.bytes.data(), static_cast<int>(key.bytes.size()), SQLITE_STATIC));
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* select_ = nullptr;
  sqlite3_stmt* replace_ = nullptr;
};

}  // namespace bench
