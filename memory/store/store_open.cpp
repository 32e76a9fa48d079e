// Opening a store: looks at the directory before RocksDB does (RocksDB would create a new database over the
// tables of one whose CURRENT is lost), chooses options, checks the format record.
#include <filesystem>
#include <fstream>
#include <new>

#include <fmt/format.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_manager.h>
#include <rocksdb/table.h>

#include "memory/store/owner_file.h"
#include "memory/store/record.h"
#include "memory/store/store_impl.h"
#include "memory/store/watermark.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

constexpr char kRestoreHint[] = "restore a backup, or move the directory away to start afresh";

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

struct DirectoryView {
  bool current = false;    // a file CURRENT
  std::size_t tables = 0;  // *.sst
  std::size_t logs = 0;    // write-ahead logs
  std::size_t manifests = 0;
};

Result<DirectoryView> look_into(const std::string& directory) {
  DirectoryView view;
  std::error_code error;
  fs::directory_iterator it(directory, error);
  if (error) return fail(ErrorKind::kIo, "cannot list the store's directory: " + error.message(), directory);
  for (const fs::directory_iterator end; it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::string stem = it->path().stem().string(), extension = it->path().extension().string();
    if (name == "CURRENT") view.current = true;
    if (extension == ".sst" && all_digits(stem)) ++view.tables;
    if (extension == ".log" && all_digits(stem)) ++view.logs;
    if (name.starts_with("MANIFEST-")) ++view.manifests;
    if (error)
      return fail(ErrorKind::kIo, "cannot list the store's directory: " + error.message(), directory);
  }
  return view;
}

// CURRENT holds one line, the name of a MANIFEST that must be there.
Status check_current(const std::string& directory) {
  std::ifstream in(fs::path(directory) / "CURRENT", std::ios::binary);
  std::string text(64, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  constexpr std::string_view kPrefix = "MANIFEST-";
  const bool form =
      text.size() > kPrefix.size() + 1 && text.size() < 40 && text.starts_with(kPrefix) &&
      text.back() == '\n' &&
      all_digits(std::string_view(text).substr(kPrefix.size(), text.size() - kPrefix.size() - 1));
  if (!form) return fail(ErrorKind::kCorrupt, "the store's CURRENT file is damaged", directory, kRestoreHint);
  text.pop_back();
  std::error_code error;
  if (!fs::is_regular_file(fs::path(directory) / text, error)) {
    return fail(ErrorKind::kCorrupt, fmt::format("the store's {} is missing", text), directory, kRestoreHint);
  }
  return {};
}

// Does the directory hold a store already? Errors when it holds half of one.
Result<bool> prepare_directory(const std::string& directory, const StoreOptions& options) {
  std::error_code error;
  const bool may_create = options.create && !options.read_only;
  if (!fs::exists(directory, error)) {
    if (!may_create) {
      return fail(ErrorKind::kNotFound, "there is no store", directory,
                  "ingest something first, or give --data-dir");
    }
    fs::create_directories(directory, error);
    if (error) {
      return fail(ErrorKind::kIo, "cannot create the store's directory: " + error.message(), directory,
                  "choose another place with --data-dir");
    }
  }
  if (!fs::is_directory(directory, error)) {
    return fail(ErrorKind::kInvalid, "the store's path is not a directory", directory,
                "choose another place with --data-dir");
  }
  CONSORT_TRY(view, look_into(directory));
  if (view.current) {
    CONSORT_CHECK_OK(check_current(directory));
    return true;
  }
  // A crash inside the very first open leaves one MANIFEST and nothing else; that is no store yet.
  if (view.tables > 0 || view.logs > 0 || view.manifests > 1) {
    return fail(ErrorKind::kCorrupt, "the store's CURRENT file is missing", directory, kRestoreHint);
  }
  if (!may_create) {
    return fail(ErrorKind::kNotFound, "there is no store", directory,
                "ingest something first, or give --data-dir");
  }
  return false;
}

// A background error (flush, compaction, log) that says damage stops writing for good.
class DamageListener : public rocksdb::EventListener {
 public:
  explicit DamageListener(std::shared_ptr<WriteStop> stop) : stop_(std::move(stop)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (status->IsCorruption()) stop_->stop(status->ToString());
  }

 private:
  std::shared_ptr<WriteStop> stop_;
};

bool looks_locked(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return status.IsIOError() && (text.find("lock hold by current process") != std::string::npos ||
                                text.find("While lock file") != std::string::npos);
}

Error open_error(const rocksdb::Status& status, const std::string& directory) {
  if (!looks_locked(status)) return store_error(status, directory);
  const auto owner = read_owner_file(directory);
  return Error{ErrorKind::kUnavailable,
               "the store is in use by " + (owner ? owner->text() : std::string("another process")),
               directory, "stop that process, or give another --data-dir"};
}

Status open_database(Store::Impl& impl, bool exists) {
  rocksdb::Options options = database_options(impl);
  options.create_if_missing = !exists;
  options.create_missing_column_families = !exists;
  options.listeners.push_back(std::make_shared<DamageListener>(impl.write_stop));
  std::vector<std::string> names{rocksdb::kDefaultColumnFamilyName, kMetaFamily};
  if (exists) {
    std::vector<std::string> found;
    const auto listed = rocksdb::DB::ListColumnFamilies(options, impl.directory, &found);
    if (!listed.ok()) return tl::unexpected(open_error(listed, impl.directory));
    names = found;
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const auto& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions(options));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const auto opened = impl.options.read_only
                          ? rocksdb::DB::OpenForReadOnly(options, impl.directory, descriptors, &handles, &raw)
                          : rocksdb::DB::Open(options, impl.directory, descriptors, &handles, &raw);
  if (!opened.ok()) return tl::unexpected(open_error(opened, impl.directory));
  impl.db.reset(raw);
  // Nobody waits for a compaction; a flush has writers behind it. Where the system refuses, nothing changes.
  options.env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW, rocksdb::CpuPriority::kLow)
      .PermitUncheckedError();
  for (std::size_t i = 0; i < handles.size(); ++i) impl.families[names[i]] = handles[i];
  return {};
}

// A MANIFEST that is not what it was at the last orderly close, plus more, no longer names all tables;
// RocksDB would delete the others.
Status check_manifest(const Store::Impl& impl, const std::optional<Watermark>& watermark) {
  if (impl.options.salvage_log || !watermark) return {};
  const Watermark now = manifest_now(impl.directory, watermark->manifest_bytes);
  if (now.manifest != watermark->manifest ||
      (now.manifest_bytes == watermark->manifest_bytes && now.manifest_hash == watermark->manifest_hash)) {
    return {};
  }
  return fail(ErrorKind::kCorrupt, fmt::format("the store's {} is damaged", now.manifest), impl.directory,
              kRestoreHint);
}

// Fewer writes than at the last orderly close: the end of the log is gone.
Status check_sequence(const Store::Impl& impl, const std::optional<Watermark>& watermark) {
  const std::uint64_t found = impl.db->GetLatestSequenceNumber();
  if (impl.options.salvage_log || !watermark || found >= watermark->sequence) return {};
  return fail(
      ErrorKind::kCorrupt,
      fmt::format("the end of the store's log is lost: write {} of {} was found", found, watermark->sequence),
      impl.directory, kRestoreHint);
}

bool holds_keys(Store::Impl& impl) {
  for (const auto& [name, handle] : impl.families) {
    std::unique_ptr<rocksdb::Iterator> it(impl.db->NewIterator(rocksdb::ReadOptions(), handle));
    it->SeekToFirst();
    if (it->Valid() || !it->status().ok()) return true;
  }
  return false;
}

// Reads the format record, or writes it into a store that holds nothing yet.
Status check_format(Store::Impl& impl) {
  const std::string& directory = impl.directory;
  auto* meta = impl.family(kMetaFamily);
  std::string value;
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  const auto got = meta ? impl.db->Get(read, meta, kFormatKey, &value) : rocksdb::Status::NotFound();
  if (got.ok()) {
    RecordReader reader(value);
    const auto version = reader.u8();
    const auto format = reader.varint();
    if (!reader.ok() || version == 0 || format == 0) {
      return fail(ErrorKind::kCorrupt, "the store's format record is damaged", directory, kRestoreHint);
    }
    if (format > kStoreFormat) {
      return fail(ErrorKind::kUnsupported,
                  fmt::format("the store has format {}, this program reads up to {}", format, kStoreFormat),
                  directory, "use the newer program that wrote it, or give another --data-dir");
    }
    return {};
  }
  if (!got.IsNotFound()) return tl::unexpected(store_error(got, directory));
  if (holds_keys(impl)) {
    return fail(ErrorKind::kInvalid, "the directory holds a database that is not a Consort store", directory,
                "give another --data-dir");
  }
  if (impl.options.read_only) return fail(ErrorKind::kNotFound, "the store is empty", directory);
  if (!meta) {
    const auto made = impl.db->CreateColumnFamily(impl.family_options, kMetaFamily, &meta);
    if (!made.ok()) return tl::unexpected(store_error(made, directory));
    impl.families[kMetaFamily] = meta;
  }
  rocksdb::WriteOptions write;
  write.sync = true;
  const auto put =
      impl.db->Put(write, meta, kFormatKey, RecordWriter(1).varint(kStoreFormat).bytes("consort").view());
  if (!put.ok()) return tl::unexpected(store_error(put, directory));
  return {};
}

Result<std::shared_ptr<Store::Impl>> open_impl(const std::string& directory, const StoreOptions& options) {
  CONSORT_TRY(exists, prepare_directory(directory, options));
  auto impl = std::make_shared<Store::Impl>();
  impl->directory = directory;
  impl->options = options;
  impl->cache = rocksdb::NewLRUCache(std::max<std::size_t>(options.block_cache_bytes, 1u << 20), 2);
  impl->write_buffers = std::make_shared<rocksdb::WriteBufferManager>(
      std::max<std::size_t>(options.write_buffer_bytes, 1u << 20), impl->cache);
  impl->family_options = rocksdb::ColumnFamilyOptions(database_options(*impl));
  const auto watermark = exists ? read_watermark(directory) : std::nullopt;
  CONSORT_CHECK_OK(check_manifest(*impl, watermark));
  CONSORT_CHECK_OK(open_database(*impl, exists));
  CONSORT_CHECK_OK(check_sequence(*impl, watermark));
  CONSORT_CHECK_OK(check_format(*impl));
  if (!options.read_only) {
    write_owner_file(directory, this_process());
    impl->owns_directory = true;
  }
  return impl;
}

}  // namespace

rocksdb::Options database_options(const Store::Impl& impl) {
  rocksdb::Options o;
  o.paranoid_checks = true;
  o.force_consistency_checks = true;
  o.paranoid_file_checks = true;  // every new table is read back before it counts
  // A torn last record is what a kill leaves; damage before it is not passed over (see StoreOptions).
  o.wal_recovery_mode = impl.options.salvage_log ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                                 : rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  o.manual_wal_flush = false;  // 7.8 can leave families inconsistent otherwise (fixed in 9.7)
  o.wal_bytes_per_sync = 0;    // can leave a hole that recovery passes over (RocksDB PR 12489)
  o.recycle_log_file_num = 0;
  o.max_total_wal_size = 64u << 20;  // bounds the replay at open
  o.max_background_jobs = 2;         // the cores belong to the models
  o.max_open_files = 256;
  o.write_buffer_manager = impl.write_buffers;
  o.write_buffer_size = std::max<std::size_t>(impl.options.write_buffer_bytes / 2, 1u << 20);
  o.max_write_buffer_number = 2;
  o.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  o.keep_log_file_num = 2;
  o.max_log_file_size = 1u << 20;
  o.stats_dump_period_sec = 0;
  o.compression = rocksdb::kLZ4Compression;
  if (impl.options.disk_limit_bytes > 0) {
    o.sst_file_manager.reset(rocksdb::NewSstFileManager(rocksdb::Env::Default()));
    o.sst_file_manager->SetMaxAllowedSpaceUsage(impl.options.disk_limit_bytes);
  }
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = impl.cache;
  table.cache_index_and_filter_blocks = true;  // all of it inside the bound
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

Result<std::unique_ptr<Store>> Store::open(const std::string& directory, const StoreOptions& options) {
  if (directory.empty()) return fail(ErrorKind::kInvalid, "the store's directory has no name");
  try {  // RocksDB throws only from the standard library (a length read from a damaged file, no memory)
    CONSORT_TRY(impl, open_impl(directory, options));
    return std::unique_ptr<Store>(new Store(std::move(impl)));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kCorrupt, "a file of the store asks for more memory than there is", directory,
                kRestoreHint);
  } catch (const std::exception& e) {
    return fail(ErrorKind::kCorrupt, fmt::format("the store cannot be read: {}", e.what()), directory,
                kRestoreHint);
  }
}

Error store_error(const rocksdb::Status& status, const std::string& directory) {
  const std::string text = status.ToString();
  if (status.IsCorruption()) {
    return Error{ErrorKind::kCorrupt, "the store is damaged: " + text, directory, kRestoreHint};
  }
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) {
    return Error{ErrorKind::kIo, "no space is left for the store: " + text, directory,
                 "free some disk space and try again; nothing stored is lost"};
  }
  if (status.IsIOError() && text.find("No such file") != std::string::npos) {
    return Error{ErrorKind::kCorrupt, "a file of the store is missing: " + text, directory, kRestoreHint};
  }
  if (status.IsNotSupported()) {
    return Error{ErrorKind::kUnsupported, "the store's files need a newer program: " + text, directory,
                 "use the program that wrote it, or give another --data-dir"};
  }
  if (status.IsInvalidArgument()) {
    return Error{ErrorKind::kCorrupt, "the store cannot be read: " + text, directory, kRestoreHint};
  }
  return Error{ErrorKind::kIo, "the store cannot be used: " + text, directory,
               "check the directory's permissions and the disk"};
}

}  // namespace consort
