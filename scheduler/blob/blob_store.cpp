#include "scheduler/blob/blob_store.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace consort {
namespace {

constexpr std::string_view kFamily = "blobs";
constexpr char kRecordVersion = 1;  // first byte of a record; the blob's bytes follow

void collect(const Value& value, std::set<std::string>& seen, std::vector<Value>& out) {
  if (value.is_array())
    for (const Value& item : value.as_array()) collect(item, seen, out);
  if (!value.is_object()) return;
  if (is_blob_handle(value)) {
    if (auto digest = blob_digest(value); digest && seen.insert(*digest).second) out.push_back(value);
    return;
  }
  for (const auto& [key, member] : value.as_object()) collect(member, seen, out);
}

}  // namespace

std::vector<Value> blob_handles_in(const Value& value) {
  std::set<std::string> seen;
  std::vector<Value> out;
  collect(value, seen, out);
  return out;
}

Result<std::unique_ptr<BlobStore>> BlobStore::open(Store* store, std::size_t memory_bytes) {
  if (store != nullptr && !store->read_only()) CONSORT_CHECK_OK(store->ensure_family(kFamily));
  return std::unique_ptr<BlobStore>(new BlobStore(store, memory_bytes));
}

bool BlobStore::make_room(std::size_t bytes) {
  for (auto at = recent_.begin(); at != recent_.end() && bytes_ + bytes > most_bytes_;) {
    const auto entry = entries_.find(*at);
    if (!entry->second.kept) {
      ++at;
      continue;
    }
    bytes_ -= entry->second.blob.bytes.size();
    entries_.erase(entry);
    at = recent_.erase(at);
  }
  return bytes_ + bytes <= most_bytes_;
}

Result<Value> BlobStore::put(Blob blob) {
  Value handle = blob_handle(blob);
  std::lock_guard lock(mutex_);
  if (const auto at = entries_.find(blob.digest); at != entries_.end()) {
    recent_.splice(recent_.end(), recent_, at->second.used);
    return handle;
  }
  if (!make_room(blob.bytes.size()))
    return fail(ErrorKind::kMemory, fmt::format("blobs already take {} bytes of memory", bytes_), blob.name,
                "give fewer or smaller files to one run");
  bytes_ += blob.bytes.size();
  std::string digest = blob.digest;
  const auto used = recent_.insert(recent_.end(), digest);
  entries_.emplace(std::move(digest), Entry{std::move(blob), false, used});
  return handle;
}

Result<Blob> BlobStore::load(const std::string& digest, const Value& handle) {
  const Value name = handle.get("name");
  if (store_ != nullptr) {
    CONSORT_TRY(record, store_->get(kFamily, digest));
    if (record) {
      if (record->empty() || record->front() != kRecordVersion)
        return fail(ErrorKind::kUnsupported, "the stored blob is of a newer version", digest);
      record->erase(0, 1);
      CONSORT_TRY(blob, make_blob(SharedBytes::of(std::move(*record)),
                                  name.is_string() ? name.as_string() : std::string()));
      if (blob.digest != digest) return fail(ErrorKind::kCorrupt, "the stored blob is damaged", digest);
      return blob;
    }
  }
  return fail(ErrorKind::kNotFound, "the blob is not in this process or its store", digest,
              "give the file again with KEY=@FILE");
}

Result<Blob> BlobStore::get(const Value& handle) {
  CONSORT_TRY(digest, blob_digest(handle));
  const Value name = handle.get("name");
  {
    std::lock_guard lock(mutex_);
    if (const auto at = entries_.find(digest); at != entries_.end()) {
      recent_.splice(recent_.end(), recent_, at->second.used);
      Blob found = at->second.blob;
      if (name.is_string()) found.name = name.as_string();
      return found;
    }
  }
  CONSORT_TRY(blob, load(digest, handle));
  std::lock_guard lock(mutex_);
  if (!entries_.contains(digest) && make_room(blob.bytes.size())) {
    bytes_ += blob.bytes.size();
    const auto used = recent_.insert(recent_.end(), digest);
    entries_.emplace(digest, Entry{blob, true, used});
  }
  return blob;
}

Result<std::vector<StoreWrite>> BlobStore::kept_write(const Value& handle) {
  CONSORT_TRY(blob, get(handle));
  if (store_ == nullptr) return fail(ErrorKind::kUnavailable, "this process has no store", blob.digest);
  CONSORT_TRY(there, store_->get(kFamily, blob.digest));
  std::vector<StoreWrite> writes;
  if (!there) {
    std::string record(1, kRecordVersion);
    record.append(blob.bytes.text());
    writes.push_back({std::string(kFamily), blob.digest, std::move(record), false});
  }
  return writes;
}

Status BlobStore::keep_all(const Value& value, Durability durability) {
  for (const Value& handle : blob_handles_in(value)) {
    CONSORT_TRY(writes, kept_write(handle));
    CONSORT_CHECK_OK(store_->commit(writes, durability));
    mark_kept(handle);
  }
  return {};
}

void BlobStore::mark_kept(const Value& handle) {
  const auto digest = blob_digest(handle);
  std::lock_guard lock(mutex_);
  if (!digest) return;
  if (const auto at = entries_.find(*digest); at != entries_.end()) at->second.kept = true;
}

BlobStoreStats BlobStore::stats() const {
  std::lock_guard lock(mutex_);
  return {entries_.size(), bytes_};
}

}  // namespace consort
