// What stands behind a Store, shared by its cursors and snapshots so that the database outlives them all.
// Private to memory/store.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_buffer_manager.h>

#include "memory/store/store.h"

namespace consort {

inline constexpr char kMetaFamily[] = "meta";
inline constexpr char kFormatKey[] = "format";

// An error of ours for a RocksDB status that is not ok.
Error store_error(const rocksdb::Status& status, const std::string& directory);

// Remembers why writing must stop. Corruption is final until the store is opened again (a read error inside a
// compaction of 7.8 can drop keys, so going on would make the damage worse); a full disk may pass.
class WriteStop {
 public:
  void stop(std::string why);
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  std::string why() const;

 private:
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;
  std::string why_;
};

struct Store::Impl {
  ~Impl();

  std::string directory;
  StoreOptions options;
  bool owns_directory = false;  // wrote OWNER
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  std::shared_ptr<WriteStop> write_stop = std::make_shared<WriteStop>();
  rocksdb::ColumnFamilyOptions family_options;
  std::unique_ptr<rocksdb::DB> db;

  mutable std::shared_mutex families_mutex;
  std::map<std::string, rocksdb::ColumnFamilyHandle*, std::less<>> families;

  std::mutex listeners_mutex;  // the map
  std::map<std::string, CommitListener, std::less<>> listeners;
  std::mutex listened_commit_mutex;  // held over write + listeners, so that listeners see commit order
  std::atomic<std::uint64_t> commits = 0;

  rocksdb::ColumnFamilyHandle* family(std::string_view name) const;  // nullptr when unknown
  // The error for a failed read or write; corruption also stops writing.
  Error failed(const rocksdb::Status& status);
  Status may_write() const;
};

struct StoreCursor::Impl {
  std::shared_ptr<Store::Impl> store;
  StoreSnapshot snapshot;
  std::string prefix, upper;
  rocksdb::Slice upper_slice;
  std::unique_ptr<rocksdb::Iterator> iterator;
  bool reverse = false;
  Error error;
  bool failed = false;

  void settle();  // after each move: drops the iterator at the end of the prefix and keeps its error
};

// Options of every store; the reasons stand beside each line in store_open.cpp.
rocksdb::Options database_options(const Store::Impl& impl);

}  // namespace consort
