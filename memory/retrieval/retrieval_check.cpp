// Statistics, and the comparison of indexes with the truth.
#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "memory/retrieval/retrieval_impl.h"

namespace consort {
namespace {

constexpr std::size_t kMaxFindings = 100;

struct Checker {
  const Store& store;
  const RetrievalOptions& options;
  std::string name_space;
  const NamespaceIndex& index;
  RetrievalCheck& report;

  void found(std::string_view what) {
    if (report.findings.size() < kMaxFindings) {
      report.findings.push_back(fmt::format("namespace {}: {}", name_space, what));
    }
  }

  // The truth against itself and against the index; gives every item's digest.
  std::map<ItemId, TextDigest> check_items() {
    std::map<ItemId, TextDigest> digests;
    std::uint64_t length = 0;
    auto cursor = store.scan(kItemFamily, namespace_prefix(name_space));
    for (; cursor.valid(); cursor.next()) {
      auto key = parse_item_key(cursor.key());
      const auto stored = key ? decode_item(key->id, cursor.value()) : Result<StoredItem>(forward_error(key));
      if (!stored) {
        found(stored.error().what);
        continue;
      }
      const std::string id = item_id_text(key->id);
      const Item& item = stored->item;
      digests[key->id] = stored->digest;
      if (text_digest(item.text) != stored->digest)
        found(fmt::format("item {}: its text is not the one of its digest", id));
      if (make_item_id(item.external_id, stored->digest) != key->id)
        found(fmt::format("item {}: not its own id", id));
      const auto terms = analyze(item.text, options.analyzer);
      length += terms.size();
      check_slot(*stored, terms, id);
    }
    if (!cursor.status()) found(cursor.status().error().what);
    if (digests.size() != index.items()) {
      found(fmt::format("{} items in the store, {} in the index", digests.size(), index.items()));
    }
    if (length != index.lexical().total_length()) found("the index counts other words than the store holds");
    report.items += digests.size();
    return digests;
  }

  void check_slot(const StoredItem& stored, const std::vector<std::string>& terms, const std::string& id) {
    const auto* slot = index.find(stored.item.id);
    if (!slot) {
      found(fmt::format("item {}: missing from the index", id));
      return;
    }
    const Item& item = stored.item;
    if (slot->digest != stored.digest || slot->metadata != item.metadata ||
        !(slot->provenance == item.provenance) || slot->created_us != item.created_us ||
        slot->updated_us != item.updated_us) {
      found(fmt::format("item {}: the index knows an earlier state", id));
    }
    if (!index.lexical().agrees(*index.slot_of(item.id), terms))
      found(fmt::format("item {}: its words are not indexed right", id));
  }

  void check_vectors(const std::map<ItemId, TextDigest>& digests) {
    std::map<std::string, std::size_t> counted;
    auto cursor = store.scan(kVectorFamily, namespace_prefix(name_space));
    for (; cursor.valid(); cursor.next()) {
      auto key = parse_vector_key(cursor.key());
      const auto record = key ? decode_vector(cursor.value()) : Result<VectorRecord>(forward_error(key));
      if (!record) {
        found(record.error().what);
        continue;
      }
      ++report.vectors;
      const auto item = digests.find(key->id);
      const VectorIndex* vectors = index.space(key->space);
      const std::string id = item_id_text(key->id);
      if (item == digests.end()) {
        found(fmt::format("a vector of item {}, which is not there", id));
      } else if (!vectors) {
        found(fmt::format("a vector of item {} in the unknown space {}", id, key->space));
      } else if (item->second == record->digest && record->space_hash == space_hash(vectors->space())) {
        ++counted[key->space];
        const auto slot = index.slot_of(key->id);
        const bool late = vectors->space().metric == VectorMetric::kMaxSim;
        const bool same = slot && vectors->has(*slot) &&
                          (late ? vectors->tokens(*slot) == record->tokens
                                : std::equal(record->values.begin(), record->values.end(),
                                             vectors->row(*slot).begin(), vectors->row(*slot).end()));
        if (!same) found(fmt::format("item {}: its vector in {} is not indexed right", id, key->space));
      }  // else: a vector of an earlier text, which no search uses
    }
    if (!cursor.status()) found(cursor.status().error().what);
    for (const auto& [name, vectors] : index.spaces()) {
      if (vectors.size() != counted[name]) {
        found(fmt::format("space {}: {} vectors in the store, {} in the index", name, counted[name],
                          vectors.size()));
      }
    }
  }
};

// A commit reaches the store a moment before the index: what looks wrong only then is looked at again.
void check_namespace(Retrieval::Impl& impl, const std::string& name, RetrievalCheck& report) {
  for (int attempt = 0;; ++attempt) {
    RetrievalCheck part;
    auto entry = impl.entry(name);
    if (!entry) {
      part.findings.push_back(fmt::format("namespace {}: {}", name, entry.error().what));
    } else {
      const std::unique_lock lock((*entry)->mutex);
      Checker checker{impl.store, impl.options, name, (*entry)->index, part};
      checker.check_vectors(checker.check_items());
    }
    if (!part.ok() && attempt < 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    report.findings.insert(report.findings.end(), part.findings.begin(), part.findings.end());
    report.items += part.items;
    report.vectors += part.vectors;
    ++report.namespaces;
    return;
  }
}

}  // namespace

Result<RetrievalStats> Retrieval::stats() {
  CONSORT_TRY(names, namespaces());
  RetrievalStats stats;
  for (const std::string& name : names) {
    CONSORT_TRY(entry, impl_->entry(name));
    const std::shared_lock lock(entry->mutex);
    const NamespaceIndex& index = entry->index;
    NamespaceStats row{name, index.items(), index.lexical().terms(), index.text_bytes(), index.bytes(), {}};
    for (const auto& [space, vectors] : index.spaces())
      row.spaces.push_back({vectors.space(), vectors.size()});
    stats.index_bytes += row.index_bytes;
    stats.namespaces.push_back(std::move(row));
  }
  return stats;
}

Result<RetrievalCheck> Retrieval::check() {
  RetrievalCheck report;
  auto names = namespaces();
  if (!names) {
    report.findings.push_back(names.error().what);
    names = std::vector<std::string>();
  }
  std::set<std::string> all(names->begin(), names->end());
  for (const auto& [name, entry] : impl_->loaded_entries()) all.insert(name);
  for (const std::string& name : all) check_namespace(*impl_, name, report);
  return report;
}

}  // namespace consort
