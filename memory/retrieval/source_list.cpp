// Which sources a folder gave to a namespace the last time it was read: family memory_source.
#include <algorithm>

#include "memory/retrieval/retrieval_impl.h"
#include "memory/store/record.h"

namespace consort {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxRootBytes = 4096;

Result<std::string> source_key(std::string_view name_space, std::string_view root) {
  CONSORT_CHECK_OK(check_namespace_name(name_space));
  if (root.empty() || root.size() > kMaxRootBytes)
    return fail(ErrorKind::kInvalid, "a root of sources is 1 byte to 4 KiB");
  return RecordWriter().key_text(name_space).key_text(root).take();
}

// Sorted names; each is stored once.
std::string encode(std::vector<std::string> sources) {
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  RecordWriter record(kVersion);
  record.varint(sources.size());
  for (const std::string& source : sources) record.bytes(source);
  return record.take();
}

Result<std::vector<std::string>> decode(std::string_view value) {
  RecordReader record(value);
  if (record.u8() != kVersion) return fail(ErrorKind::kCorrupt, "a list of sources of an unknown version");
  std::vector<std::string> sources;
  for (std::uint64_t left = record.varint(); left > 0 && record.ok(); --left)
    sources.emplace_back(record.bytes());
  CONSORT_CHECK_OK(record.finish("a list of sources"));
  return sources;
}

}  // namespace

Status Retrieval::keep_sources(std::string_view name_space, std::string_view root,
                               const std::vector<std::string>& sources, Durability durability) {
  CONSORT_TRY(key, source_key(name_space, root));
  StoreWrite write{kSourceFamily, std::move(key), {}, sources.empty()};
  if (!sources.empty()) write.value = encode(sources);
  return impl_->store.commit({std::move(write)}, durability);
}

Result<std::vector<std::string>> Retrieval::kept_sources(std::string_view name_space, std::string_view root) {
  CONSORT_TRY(key, source_key(name_space, root));
  CONSORT_TRY(value, impl_->store.get(kSourceFamily, key));
  if (!value) return std::vector<std::string>();
  return decode(*value);
}

Result<bool> Retrieval::other_roots_have(std::string_view name_space, std::string_view root,
                                         std::string_view source) {
  CONSORT_TRY(own, source_key(name_space, root));
  auto cursor = impl_->store.scan(kSourceFamily, namespace_prefix(name_space));
  for (; cursor.valid(); cursor.next()) {
    if (cursor.key() == own) continue;
    CONSORT_TRY(sources, decode(cursor.value()));
    if (std::binary_search(sources.begin(), sources.end(), source)) return true;
  }
  CONSORT_CHECK_OK(cursor.status());
  return false;
}

}  // namespace consort
