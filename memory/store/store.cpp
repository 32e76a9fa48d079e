#include "memory/store/store.h"

#include <algorithm>

#include <fmt/format.h>
#include <rocksdb/write_batch.h>

#include "memory/store/owner_file.h"
#include "memory/store/store_impl.h"
#include "memory/store/watermark.h"

namespace consort {
namespace {

constexpr std::size_t kMaxKeyBytes = 64u << 10;
constexpr std::size_t kMaxValueBytes = 64u << 20;
constexpr std::size_t kMaxBatchBytes = 256u << 20;

rocksdb::Slice slice(std::string_view s) {
  return rocksdb::Slice(s.data(), s.size());
}
std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

// The least string above every string with this prefix; empty when there is none (all bytes 0xff).
std::string after_prefix(std::string_view prefix) {
  std::string bound(prefix);
  while (!bound.empty() && static_cast<unsigned char>(bound.back()) == 0xff) bound.pop_back();
  if (!bound.empty()) bound.back() = static_cast<char>(static_cast<unsigned char>(bound.back()) + 1);
  return bound;
}

bool good_family_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

struct HeldSnapshot {
  std::shared_ptr<Store::Impl> store;
  const rocksdb::Snapshot* snapshot = nullptr;
  ~HeldSnapshot() { store->db->ReleaseSnapshot(snapshot); }
};

rocksdb::ReadOptions read_options(const std::shared_ptr<const void>& held) {
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  if (held) read.snapshot = static_cast<const HeldSnapshot*>(held.get())->snapshot;
  return read;
}

}  // namespace

void WriteStop::stop(std::string why) {
  const std::lock_guard lock(mutex_);
  if (why_.empty()) why_ = std::move(why);
  stopped_.store(true, std::memory_order_release);
}

std::string WriteStop::why() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

Store::Impl::~Impl() {
  if (db) {
    for (const auto& [name, handle] : families) db->DestroyColumnFamilyHandle(handle);
    if (owns_directory) {  // before the lock goes, so that a successor's files stay
      Watermark mark = manifest_now(directory);
      mark.sequence = db->GetLatestSequenceNumber();
      write_watermark(directory, mark);
      remove_owner_file(directory);
    }
    db->Close();
  }
}

rocksdb::ColumnFamilyHandle* Store::Impl::family(std::string_view name) const {
  const std::shared_lock lock(families_mutex);
  const auto it = families.find(name);
  return it == families.end() ? nullptr : it->second;
}

Error Store::Impl::failed(const rocksdb::Status& status) {
  if (status.IsCorruption()) write_stop->stop(status.ToString());
  return store_error(status, directory);
}

Status Store::Impl::may_write() const {
  if (options.read_only) {
    return fail(ErrorKind::kUnavailable, "the store is open for reading only", directory);
  }
  if (write_stop->stopped()) {
    return fail(ErrorKind::kCorrupt,
                "damage was found in the store, nothing is written any more: " + write_stop->why(), directory,
                "check it with 'consort memory check', then restore a backup");
  }
  return {};
}

Store::Store(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() {
  const std::lock_guard lock(impl_->listeners_mutex);
  impl_->listeners.clear();
}

const std::string& Store::directory() const {
  return impl_->directory;
}
bool Store::read_only() const {
  return impl_->options.read_only;
}

Status Store::ensure_family(std::string_view name) {
  if (!good_family_name(name)) {
    return fail(ErrorKind::kInvalid, fmt::format("'{}' is no name for a family of the store", name));
  }
  if (impl_->family(name)) return {};
  CONSORT_CHECK_OK(impl_->may_write());
  const std::unique_lock lock(impl_->families_mutex);
  if (impl_->families.contains(name)) return {};
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  const auto made = impl_->db->CreateColumnFamily(impl_->family_options, std::string(name), &handle);
  if (!made.ok()) return tl::unexpected(impl_->failed(made));
  impl_->families.emplace(name, handle);
  return {};
}

std::vector<std::string> Store::families() const {
  const std::shared_lock lock(impl_->families_mutex);
  std::vector<std::string> names;
  for (const auto& [name, handle] : impl_->families) {
    if (name != rocksdb::kDefaultColumnFamilyName) names.push_back(name);
  }
  return names;
}

namespace {

Result<std::size_t> fill_batch(Store::Impl& impl, const std::vector<StoreWrite>& writes,
                               rocksdb::WriteBatch& batch) {
  std::size_t bytes = 0;
  for (const auto& write : writes) {
    auto* family = impl.family(write.family);
    if (!family) return fail(ErrorKind::kInvalid, fmt::format("the store has no family '{}'", write.family));
    if (write.key.empty() || write.key.size() > kMaxKeyBytes) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("a key of {} bytes; 1 to {} are allowed", write.key.size(), kMaxKeyBytes));
    }
    if (!write.erase && write.value.size() > kMaxValueBytes) {
      return fail(ErrorKind::kInvalid, fmt::format("a value of {} bytes; at most {} are allowed",
                                                   write.value.size(), kMaxValueBytes));
    }
    bytes += write.key.size() + (write.erase ? 0 : write.value.size());
    if (bytes > kMaxBatchBytes) {
      return fail(ErrorKind::kInvalid, fmt::format("a commit above {} bytes", kMaxBatchBytes));
    }
    if (write.erase) {
      batch.Delete(family, slice(write.key));
    } else {
      batch.Put(family, slice(write.key), slice(write.value));
    }
  }
  return bytes;
}

// Writes the batch. After a full disk RocksDB stays closed for writing until it is resumed: tried once per
// commit.
rocksdb::Status write_batch(Store::Impl& impl, rocksdb::WriteBatch& batch, Durability durability) {
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::kSync;
  auto status = impl.db->Write(options, &batch);
  if (!status.ok() && !status.IsCorruption() && !status.IsInvalidArgument() && impl.db->Resume().ok()) {
    status = impl.db->Write(options, &batch);
  }
  return status;
}

}  // namespace

Status Store::commit(const std::vector<StoreWrite>& writes, Durability durability) {
  CONSORT_CHECK_OK(impl_->may_write());
  if (writes.empty()) return {};
  rocksdb::WriteBatch batch;
  CONSORT_CHECK_OK(fill_batch(*impl_, writes, batch));
  std::vector<CommitListener> listeners;
  {
    const std::lock_guard lock(impl_->listeners_mutex);
    for (const auto& [family, listener] : impl_->listeners) {
      const bool touched = std::any_of(writes.begin(), writes.end(),
                                       [&name = family](const StoreWrite& w) { return w.family == name; });
      if (touched) listeners.push_back(listener);
    }
  }
  std::unique_lock order(impl_->listened_commit_mutex, std::defer_lock);
  if (!listeners.empty()) order.lock();
  const auto status = write_batch(*impl_, batch, durability);
  if (!status.ok()) return tl::unexpected(impl_->failed(status));
  impl_->commits.fetch_add(1, std::memory_order_relaxed);
  for (const auto& listener : listeners) listener(writes);
  return {};
}

Result<std::optional<std::string>> Store::get(std::string_view family, std::string_view key,
                                              const StoreSnapshot& at) const {
  auto* handle = impl_->family(family);
  if (!handle) return fail(ErrorKind::kInvalid, fmt::format("the store has no family '{}'", family));
  std::string value;
  const auto status = impl_->db->Get(read_options(at.held_), handle, slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return tl::unexpected(impl_->failed(status));
  return std::optional<std::string>(std::move(value));
}

StoreSnapshot Store::snapshot() const {
  auto held = std::make_shared<HeldSnapshot>();
  held->store = impl_;
  held->snapshot = impl_->db->GetSnapshot();
  StoreSnapshot snapshot;
  snapshot.held_ = std::move(held);
  return snapshot;
}

namespace {

std::unique_ptr<StoreCursor::Impl> start_cursor(const std::shared_ptr<Store::Impl>& store,
                                                std::string_view family, std::string_view prefix,
                                                const std::shared_ptr<const void>& held) {
  auto cursor = std::make_unique<StoreCursor::Impl>();
  cursor->store = store;
  auto* handle = store->family(family);
  if (!handle) {
    cursor->failed = true;
    cursor->error = Error{ErrorKind::kInvalid, fmt::format("the store has no family '{}'", family), "", ""};
    return cursor;
  }
  cursor->prefix = prefix;
  cursor->upper = after_prefix(prefix);
  auto read = read_options(held);
  if (!cursor->upper.empty()) {
    cursor->upper_slice = cursor->upper;
    read.iterate_upper_bound = &cursor->upper_slice;
  }
  cursor->iterator.reset(store->db->NewIterator(read, handle));
  return cursor;
}

}  // namespace

void StoreCursor::Impl::settle() {
  if (iterator->Valid() && iterator->key().starts_with(prefix)) return;
  if (!iterator->Valid() && !iterator->status().ok()) {
    failed = true;
    error = store->failed(iterator->status());
  }
  iterator.reset();
}

StoreCursor Store::scan(std::string_view family, std::string_view prefix, std::string_view from,
                        const StoreSnapshot& at) const {
  auto cursor = start_cursor(impl_, family, prefix, at.held_);
  cursor->snapshot = at;
  if (cursor->iterator) {
    cursor->iterator->Seek(slice(std::max(prefix, from)));
    cursor->settle();
  }
  return StoreCursor(std::move(cursor));
}

StoreCursor Store::scan_reverse(std::string_view family, std::string_view prefix,
                                const StoreSnapshot& at) const {
  auto cursor = start_cursor(impl_, family, prefix, at.held_);
  cursor->snapshot = at;
  cursor->reverse = true;
  if (cursor->iterator) {
    if (cursor->upper.empty()) {
      cursor->iterator->SeekToLast();
    } else {
      cursor->iterator->SeekForPrev(cursor->upper_slice);
      // The bound itself is outside; RocksDB stops below it already, a key equal to it is skipped here.
      if (cursor->iterator->Valid() && cursor->iterator->key() == cursor->upper_slice)
        cursor->iterator->Prev();
    }
    cursor->settle();
  }
  return StoreCursor(std::move(cursor));
}

StoreCursor::StoreCursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StoreCursor::StoreCursor(StoreCursor&&) noexcept = default;
StoreCursor& StoreCursor::operator=(StoreCursor&&) noexcept = default;
StoreCursor::~StoreCursor() = default;

bool StoreCursor::valid() const {
  return impl_->iterator != nullptr;
}

void StoreCursor::next() {
  if (impl_->reverse) {
    impl_->iterator->Prev();
  } else {
    impl_->iterator->Next();
  }
  impl_->settle();
}

std::string_view StoreCursor::key() const {
  return view(impl_->iterator->key());
}
std::string_view StoreCursor::value() const {
  return view(impl_->iterator->value());
}

Status StoreCursor::status() const {
  if (impl_->failed) return tl::unexpected(impl_->error);
  return {};
}

Status Store::erase_prefix(std::string_view family, std::string_view prefix, Durability durability) {
  CONSORT_CHECK_OK(impl_->may_write());
  auto* handle = impl_->family(family);
  if (!handle) return fail(ErrorKind::kInvalid, fmt::format("the store has no family '{}'", family));
  const std::string upper = after_prefix(prefix);
  if (upper.empty()) return fail(ErrorKind::kInvalid, "an empty prefix would erase a whole family");
  rocksdb::WriteBatch batch;
  batch.DeleteRange(handle, slice(prefix), slice(upper));
  const auto status = write_batch(*impl_, batch, durability);
  if (!status.ok()) return tl::unexpected(impl_->failed(status));
  return {};
}

void Store::set_listener(std::string_view family, CommitListener listener) {
  const std::lock_guard lock(impl_->listeners_mutex);
  if (listener) {
    impl_->listeners.insert_or_assign(std::string(family), std::move(listener));
  } else {
    impl_->listeners.erase(std::string(family));
  }
}

}  // namespace consort
