// What looks at a whole store: statistics, verification, verified copies.
#include <filesystem>

#include <fmt/format.h>
#include <rocksdb/utilities/checkpoint.h>

#include "memory/store/record.h"
#include "memory/store/store_impl.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

std::uint64_t directory_bytes(const std::string& directory) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // a file may vanish between listing and asking
    const auto size = it->file_size(gone);
    if (!gone) sum += size;
  }
  return sum;
}

std::uint64_t property(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const std::string& name) {
  std::uint64_t value = 0;
  return db.GetIntProperty(family, name, &value) ? value : 0;
}

std::vector<std::pair<std::string, rocksdb::ColumnFamilyHandle*>> all_families(const Store::Impl& impl) {
  const std::shared_lock lock(impl.families_mutex);
  return {impl.families.begin(), impl.families.end()};
}

// Every key of one family through its checksums, in strictly rising order.
void read_family(Store::Impl& impl, const std::string& name, rocksdb::ColumnFamilyHandle* handle,
                 StoreCheck& check) {
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  StoreFamilyStats row{name, 0, property(*impl.db, handle, "rocksdb.total-sst-files-size"),
                       property(*impl.db, handle, "rocksdb.cur-size-all-mem-tables")};
  std::unique_ptr<rocksdb::Iterator> it(impl.db->NewIterator(read, handle));
  std::string last;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    if (row.keys > 0 && it->key().compare(last) <= 0) {
      check.findings.push_back(fmt::format("family {}: keys out of order after {} keys", name, row.keys));
    }
    last.assign(it->key().data(), it->key().size());
    ++row.keys;
    check.bytes += it->key().size() + it->value().size();
  }
  if (!it->status().ok()) {
    check.findings.push_back(fmt::format("family {}: {}", name, it->status().ToString()));
  }
  check.keys += row.keys;
  check.families.push_back(std::move(row));
}

}  // namespace

StoreStats Store::stats() const {
  StoreStats stats;
  std::uint64_t readers = 0;
  for (const auto& [name, handle] : all_families(*impl_)) {
    StoreFamilyStats row{name, property(*impl_->db, handle, "rocksdb.estimate-num-keys"),
                         property(*impl_->db, handle, "rocksdb.total-sst-files-size"),
                         property(*impl_->db, handle, "rocksdb.size-all-mem-tables")};
    stats.memtable_bytes += row.memtable_bytes;
    readers += property(*impl_->db, handle, "rocksdb.estimate-table-readers-mem");
    if (name != rocksdb::kDefaultColumnFamilyName) stats.families.push_back(std::move(row));
  }
  const std::size_t charged = impl_->write_buffers->dummy_entries_in_cache_usage();
  const std::size_t cached = impl_->cache->GetUsage();
  stats.block_cache_bytes = cached > charged ? cached - charged : 0;
  // Index and filter blocks live in the cache; what the estimate counts beyond it is small.
  stats.table_reader_bytes = static_cast<std::size_t>(readers);
  stats.memory_bytes = stats.block_cache_bytes + stats.memtable_bytes + stats.table_reader_bytes;
  stats.disk_bytes = directory_bytes(impl_->directory);
  stats.commits = impl_->commits.load(std::memory_order_relaxed);
  stats.write_stop = impl_->write_stop->why();
  return stats;
}

Status Store::flush() {
  CONSORT_CHECK_OK(impl_->may_write());
  for (const auto& [name, handle] : all_families(*impl_)) {
    const auto status = impl_->db->Flush(rocksdb::FlushOptions(), handle);
    if (!status.ok()) return tl::unexpected(impl_->failed(status));
  }
  return {};
}

Result<StoreCheck> Store::check() const {
  StoreCheck check;
  const auto verified = impl_->db->VerifyChecksum();
  if (!verified.ok()) check.findings.push_back(verified.ToString());
  for (const auto& [name, handle] : all_families(*impl_)) {
    if (name == rocksdb::kDefaultColumnFamilyName) continue;
    read_family(*impl_, name, handle, check);
  }
  auto format = get(kMetaFamily, kFormatKey);
  if (!format) {
    check.findings.push_back("format record: " + format.error().what);
  } else if (!*format) {
    check.findings.push_back("the format record is missing");
  }
  if (!check.ok()) impl_->write_stop->stop(check.findings.front());
  return check;
}

Status Store::checkpoint(const std::string& directory) {
  std::error_code error;
  if (fs::exists(directory, error)) {
    return fail(ErrorKind::kInvalid, "the copy's directory exists already", directory, "give a new one");
  }
  CONSORT_CHECK_OK(flush());
  rocksdb::Checkpoint* raw = nullptr;
  auto status = rocksdb::Checkpoint::Create(impl_->db.get(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> maker(raw);
  // 0: always flush first; a hard-linked log of 7.8 may not be fully synced (fixed in 9.4).
  if (status.ok()) status = maker->CreateCheckpoint(directory, 0);
  if (!status.ok()) return tl::unexpected(impl_->failed(status));
  StoreOptions read_only;
  read_only.read_only = true;
  auto copy = Store::open(directory, read_only);
  std::string problem = copy ? "" : copy.error().what;
  if (copy) {
    const auto checked = (*copy)->check();
    if (!checked->ok()) problem = checked->findings.front();
  }
  if (problem.empty()) return {};
  copy = fail(ErrorKind::kCorrupt, "closed");
  fs::remove_all(directory, error);
  return fail(ErrorKind::kCorrupt, "the copy of the store does not verify: " + problem, directory);
}

}  // namespace consort
