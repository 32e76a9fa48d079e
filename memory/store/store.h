// Store: the one durable place of a process, a RocksDB 7.8 directory with column families. Journal, retrieval
// memory and everything else that must survive commit here, together where they belong together: a mutation
// is one list of writes and either all of them are there after a crash or none.
//
// Owned by main; handed to rooms as a reference. Every function may be called from any thread and blocks
// (file input and output): coroutines call it from the blocking pool, never from the io_context's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "memory/store/store_write.h"

namespace consort {

// The layout of keys and of this class's own records. A store written by a newer layout is refused.
inline constexpr std::uint32_t kStoreFormat = 1;

// When commit() returns: kAsync after the write has reached the operating system (survives the death of the
// process), kSync after it has reached the disk (survives the machine's).
enum class Durability : std::uint8_t { kAsync, kSync };

struct StoreOptions {
  bool create = true;                          // false: a directory without a store is kNotFound
  bool read_only = false;                      // no lock taken, no write possible; sees the last flush + log
  std::size_t block_cache_bytes = 16u << 20;   // read cache; write buffers are charged to it too
  std::size_t write_buffer_bytes = 16u << 20;  // over all families together; flushed when passed
  std::uint64_t disk_limit_bytes = 0;          // table files; 0 = as much as the disk has
  // A write-ahead log damaged in its middle is refused (kCorrupt) because acknowledged writes behind the
  // damage would vanish unseen. true: keep what lies before the damage and open.
  bool salvage_log = false;
};

struct StoreFamilyStats {
  std::string name;
  std::uint64_t keys = 0;         // an estimate in stats(), exact in a StoreCheck
  std::uint64_t table_bytes = 0;  // on disk
  std::uint64_t memtable_bytes = 0;
};
struct StoreStats {
  std::size_t block_cache_bytes = 0;   // in use, write buffers' charge left out
  std::size_t memtable_bytes = 0;      // write buffers of all families
  std::size_t table_reader_bytes = 0;  // index and filter blocks outside the cache
  std::size_t memory_bytes = 0;        // sum of the three: the owner row {"store", directory}
  std::uint64_t disk_bytes = 0;        // every file of the directory
  std::uint64_t commits = 0;           // since open
  std::string write_stop;              // why writes are refused now; empty when they are not
  std::vector<StoreFamilyStats> families;
};

// What check() found. `findings` is empty when everything is in order.
struct StoreCheck {
  std::vector<std::string> findings;
  std::uint64_t keys = 0, bytes = 0;  // read back through checksums
  std::vector<StoreFamilyStats> families;
  bool ok() const { return findings.empty(); }
};

class Store;

// A moment of the whole store (all families). Cheap; holds old versions alive while it lives. Copyable.
class StoreSnapshot {
 public:
  StoreSnapshot() = default;  // none: the newest state
  explicit operator bool() const { return held_ != nullptr; }

 private:
  friend class Store;
  std::shared_ptr<const void> held_;  // a rocksdb::Snapshot and what it needs
};

// Walks keys in byte order over one snapshot. Not thread-safe; may outlive nothing of its Store's directory
// but keeps it open.
//   for (auto c = store.scan("run", prefix); c.valid(); c.next()) use(c.key(), c.value());
//   CONSORT_CHECK_OK(c.status());   // an I/O or checksum error also ends the walk
class StoreCursor {
 public:
  StoreCursor(StoreCursor&&) noexcept;
  StoreCursor& operator=(StoreCursor&&) noexcept;
  ~StoreCursor();
  bool valid() const;
  void next();
  std::string_view key() const;    // valid until next(). REQUIRES: valid()
  std::string_view value() const;  // the same
  Status status() const;           // kCorrupt or kIo when the walk ended early; ok otherwise

  struct Impl;  // private to memory/store

 private:
  friend class Store;
  explicit StoreCursor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Store {
 public:
  // Called after a commit that touches the listened-to family, with all its writes, in commit order, one at a
  // time and before commit() returns. It must not commit itself.
  using CommitListener = std::function<void(const std::vector<StoreWrite>&)>;

  // Opens or creates. Errors: kUnavailable (another process holds it; named by pid and host where known),
  // kCorrupt (damaged), kUnsupported (written by a newer format), kInvalid (not a Consort store), kNotFound
  // (create is false), kIo (permission, disk full, not a directory). Never an exception, never a crash.
  static Result<std::unique_ptr<Store>> open(const std::string& directory, const StoreOptions& options = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const std::string& directory() const;
  bool read_only() const;

  // Makes sure that a column family exists: called once by each room for the families it uses. Names are
  // [a-z0-9_]{1,64}.
  Status ensure_family(std::string_view family);
  std::vector<std::string> families() const;  // sorted

  // All writes or none; later writes of one key win. An empty list is fine. Errors: kInvalid (unknown family,
  // key above 64 KiB, value above 64 MiB, batch above 256 MiB), kIo (disk full, ...), kCorrupt (damage was
  // seen: writes stay refused until the store is opened again), kUnavailable (read only).
  Status commit(const std::vector<StoreWrite>& writes, Durability durability);

  // The value, or nullopt when there is none. Errors: kCorrupt, kIo, kInvalid (unknown family).
  Result<std::optional<std::string>> get(std::string_view family, std::string_view key,
                                         const StoreSnapshot& at = {}) const;
  // Every key that starts with `prefix`, from `from` on (a full key; empty = from the first). An unknown
  // family gives a cursor that is not valid and whose status says so.
  StoreCursor scan(std::string_view family, std::string_view prefix, std::string_view from = {},
                   const StoreSnapshot& at = {}) const;
  // Like scan, but from the last key with the prefix towards the first; next() goes backwards.
  StoreCursor scan_reverse(std::string_view family, std::string_view prefix,
                           const StoreSnapshot& at = {}) const;
  StoreSnapshot snapshot() const;
  // Removes every key with this prefix in one step (a range tombstone). Listeners are not called.
  Status erase_prefix(std::string_view family, std::string_view prefix, Durability durability);

  // The listener of one family. Commits that touch a listened-to family run one after the other.
  void set_listener(std::string_view family, CommitListener listener);

  // Writes memory out to table files and syncs.
  Status flush();
  StoreStats stats() const;
  // Verifies every checksum on disk, reads every key, checks order and the format record. Damage is a
  // finding, not an error.
  Result<StoreCheck> check() const;
  // A verified copy of the store in a directory that must not exist yet (hard links where possible). Errors:
  // kInvalid (exists), kIo, kCorrupt (the copy does not verify; it is removed).
  Status checkpoint(const std::string& directory);

  struct Impl;  // private to memory/store

 private:
  explicit Store(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace consort
