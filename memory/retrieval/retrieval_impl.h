// What stands behind a Retrieval, shared with the Store's listener. Private to memory/retrieval.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "memory/retrieval/namespace_index.h"
#include "memory/retrieval/retrieval.h"

namespace consort {

struct NamespaceEntry {
  explicit NamespaceEntry(AnalyzerOptions analyzer) : index(analyzer) {}
  std::shared_mutex mutex;  // over everything below
  bool loaded = false;
  NamespaceIndex index;
};

struct Retrieval::Impl {
  Impl(Store& s, RetrievalOptions o) : store(s), options(o) {}

  Store& store;
  RetrievalOptions options;
  std::shared_mutex map_mutex;
  std::map<std::string, std::shared_ptr<NamespaceEntry>, std::less<>> entries;

  // The namespace's entry, loaded. Errors: kInvalid (name), kCorrupt, kIo.
  Result<std::shared_ptr<NamespaceEntry>> entry(std::string_view name_space);
  std::vector<std::pair<std::string, std::shared_ptr<NamespaceEntry>>> loaded_entries();
  // Follows a commit. Namespaces that are not loaded are left alone: they read the store when they are.
  void apply(const std::vector<StoreWrite>& writes);
};

// Reads one namespace from the store into an index.
Status load_namespace(const Store& store, std::string_view name_space, NamespaceIndex& index);
// Errors: kInvalid unless it is 1 to 255 bytes of UTF-8 without control characters.
Status check_namespace_name(std::string_view name);

}  // namespace consort
