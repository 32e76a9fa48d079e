// BlobStore: the bytes behind the handles of a process. Memory first; what must outlive the process lies in
// the Store's family "blobs".
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "memory/store/store.h"
#include "scheduler/blob/blob.h"

namespace consort {

struct BlobStoreStats {
  std::size_t blobs = 0, bytes = 0;  // in memory
};

// Owned by main. Thread-safe. get() may read the store: not for the event thread.
class BlobStore {
 public:
  // `store` may be null (nothing is kept); it outlives this. Errors: those of Store::ensure_family.
  static Result<std::unique_ptr<BlobStore>> open(Store* store,
                                                 std::size_t memory_bytes = std::size_t{256} << 20);

  // Holds the blob in memory and returns its handle. When memory is full, blobs that are kept in the store
  // make room; the least recently used goes first. Errors: kMemory when there is no room.
  Result<Value> put(Blob blob);
  // The blob of a handle, with the handle's name. Errors: kInvalid (no handle), kNotFound (neither in memory
  // nor in the store), kCorrupt (the stored bytes do not have the digest).
  Result<Blob> get(const Value& handle);
  // What to commit so that the blob outlives the process: together with the record that names it. Empty
  // when it is in the store already. Errors: those of get().
  Result<std::vector<StoreWrite>> kept_write(const Value& handle);
  // The writes of kept_write() were committed: memory may let the blob go.
  void mark_kept(const Value& handle);
  // Commits kept_write() of every handle inside `value`.
  Status keep_all(const Value& value, Durability durability = Durability::kAsync);

  BlobStoreStats stats() const;

 private:
  BlobStore(Store* store, std::size_t memory_bytes) : store_(store), most_bytes_(memory_bytes) {}
  struct Entry {
    Blob blob;
    bool kept = false;
    std::list<std::string>::iterator used;
  };
  Result<Blob> load(const std::string& digest, const Value& handle);
  bool make_room(std::size_t bytes);  // under mutex_

  Store* const store_;
  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::list<std::string> recent_;  // digests, least recently used first
  std::size_t bytes_ = 0;
};

// Every handle inside `value`, each digest once.
std::vector<Value> blob_handles_in(const Value& value);

}  // namespace consort
