// Retrieval: the shared memory of all agents. Namespaces of items; full-text search (BM25) and exact vector
// search, fused by reciprocal rank; filters on metadata; provenance with every hit.
//
// The Store is the truth (families memory_item, memory_vector, memory_space); the index lives in memory, is
// built from the Store when a namespace is first used, and follows every commit that touches these families,
// whoever commits it: a caller that wants items to commit together with something else takes the writes of a
// plan and puts them into its own batch. A commit that returned is visible to every later search, completely
// or not at all.
//
// Owned by main, on top of a Store that outlives it. Every function may be called from any thread; all block
// (file input): coroutines call them from the blocking pool.
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
#include "memory/retrieval/analyzer.h"
#include "memory/retrieval/fusion.h"
#include "memory/retrieval/item.h"
#include "memory/retrieval/vector_index.h"
#include "memory/store/store.h"

namespace consort {

struct RetrievalOptions {
  AnalyzerOptions analyzer;
  double bm25_k1 = 1.2, bm25_b = 0.75;        // Robertson & Zaragoza 2009, section 3.2
  DotFunction dot = dot_portable;             // inner product of two f32 vectors; main may give a kernel
  CodeDotsFunction code_dots = code_dots_portable;  // of rows as integers; main may give a kernel
  MaxSimFunction max_sim = max_sim_portable;  // late interaction; main may give a kernel
};

struct RememberOptions {
  std::optional<VectorSpace> space;  // of the embeddings; needed when an item has one
  // true: an item whose normalised text is in the namespace already (under whatever id) is not stored again.
  bool dedupe_text = false;
  std::int64_t now_us = 0;  // time of the items; 0 = now
};

enum class ItemChange : std::uint8_t {
  kCreated,
  kUpdated,    // text, metadata, provenance or embedding differ
  kUnchanged,  // nothing to write
  kDuplicate,  // another item has this text (dedupe_text); its id is given
  kErased,
};
std::string_view item_change_name(ItemChange change);  // "created", ...

struct ItemOutcome {
  ItemId id{};
  ItemChange change = ItemChange::kUnchanged;
};

// Writes that make a change when they are committed, in one batch, with whatever else belongs to it.
struct MemoryPlan {
  std::vector<StoreWrite> writes;
  std::vector<ItemOutcome> items;  // one for each item asked for, in order
};

// kLateInteraction: MaxSim over the vectors of all tokens, in a space of metric kMaxSim.
enum class SearchMode : std::uint8_t { kLexical, kDense, kHybrid, kLateInteraction };
std::string_view search_mode_name(SearchMode mode);
std::optional<SearchMode> parse_search_mode(std::string_view name);

struct SearchQuery {
  std::string name_space;
  std::string text;           // for kLexical and kHybrid
  std::vector<float> vector;  // for kDense and kHybrid; for kLateInteraction a row for each token
  std::string space;          // its space's name
  std::string fingerprint;    // of the model that made `vector`
  SearchMode mode = SearchMode::kHybrid;
  std::size_t top_k = 10;   // 1 to 1,000
  std::size_t depth = 100;  // candidates of each branch that take part in the fusion (at least top_k)
  FusionOptions fusion;
  std::optional<Filter> filter;
};

struct BranchRank {
  std::size_t rank = 0;  // from 1
  double score = 0;      // BM25, cosine or inner product
};
struct SearchHit {
  Item item;
  double score = 0;  // fused; the branch's own in the other modes
  // `dense`: also of late interaction (its score is the MaxSim). `rerank`: filled by a cross-encoder above
  // this room, whose score then is `score`.
  std::optional<BranchRank> lexical, dense, rerank;
};
struct SearchResult {
  std::vector<SearchHit> hits;      // best first; equal scores by id
  bool known_namespace = false;     // false: the namespace holds nothing (not an error)
  std::size_t items = 0;            // in the namespace
  std::size_t lexical_matches = 0;  // items with at least one of the words, after the filter
  std::size_t dense_matches = 0;    // items with a vector in the space, after the filter
};

struct SpaceStats {
  VectorSpace space;
  std::size_t vectors = 0;
};
struct NamespaceStats {
  std::string name;
  std::size_t items = 0, terms = 0, text_bytes = 0, index_bytes = 0;
  std::vector<SpaceStats> spaces;
};
struct RetrievalStats {
  std::vector<NamespaceStats> namespaces;  // sorted by name
  std::size_t index_bytes = 0;  // memory of all loaded indexes: the owner row {"index", "retrieval"}
};
struct RetrievalCheck {
  std::vector<std::string> findings;  // "namespace notes: item 0f..: ..."
  std::size_t namespaces = 0, items = 0, vectors = 0;
  bool ok() const { return findings.empty(); }
};

class Retrieval {
 public:
  // Makes the families. Errors: those of Store::ensure_family. The Store keeps a listener until this is
  // destroyed.
  static Result<std::unique_ptr<Retrieval>> open(Store& store, RetrievalOptions options = {});
  ~Retrieval();

  // What must be written so that the namespace holds these items. Two items with one id: the later one wins.
  // Nothing changes until the writes are committed; a plan is good for one commit soon after (a plan that
  // another writer overtook still leaves truth and index in agreement; the later commit wins). Errors:
  // kInvalid (name, text, metadata, an embedding that is not finite, all zero under cosine, or of another
  // length; a space whose fingerprint, dimension or metric differs from what the namespace has; above 10,000
  // items).
  Result<MemoryPlan> plan_remember(std::string_view name_space, const std::vector<NewItem>& items,
                                   const RememberOptions& options = {});
  // Removal by id; an id that is not there is kUnchanged.
  Result<MemoryPlan> plan_forget(std::string_view name_space, const std::vector<ItemId>& ids);
  // plan_remember, and removal of the items of `source` that are not among them: a file that was read again.
  Result<MemoryPlan> plan_replace_source(std::string_view name_space, std::string_view source,
                                         const std::vector<NewItem>& items,
                                         const RememberOptions& options = {});
  // What a reader of folders keeps beside the items, so that it can forget the files that are gone the next time:
  // the names of the sources it read from `root` (1 byte to 4 KiB; a folder's full path). An empty list removes the
  // entry. Sources of another root with the same name are told by other_roots_have.
  Status keep_sources(std::string_view name_space, std::string_view root, const std::vector<std::string>& sources,
                      Durability durability = Durability::kAsync);
  Result<std::vector<std::string>> kept_sources(std::string_view name_space, std::string_view root);
  Result<bool> other_roots_have(std::string_view name_space, std::string_view root, std::string_view source);
  // Plan and commit in one.
  Result<std::vector<ItemOutcome>> remember(std::string_view name_space, const std::vector<NewItem>& items,
                                            const RememberOptions& options = {},
                                            Durability durability = Durability::kAsync);
  Result<std::vector<ItemOutcome>> forget(std::string_view name_space, const std::vector<ItemId>& ids,
                                          Durability durability = Durability::kAsync);
  // Commits a plan made here. Errors: those of Store::commit.
  Status commit(const MemoryPlan& plan, Durability durability = Durability::kAsync);

  // Errors: kInvalid (limits above, an empty query, a vector of another model or length than the space's),
  // kCorrupt.
  Result<SearchResult> search(const SearchQuery& query);
  // The items, in id order; nullopt / empty when there is none.
  Result<std::optional<Item>> find(std::string_view name_space, const ItemId& id);
  Result<std::optional<Item>> find_external(std::string_view name_space, std::string_view external_id);
  Result<std::vector<std::string>> namespaces();  // those that hold items, sorted
  // The ids of items that lack a vector in this space, for embedding them later.
  Result<std::vector<ItemId>> without_vector(std::string_view name_space, std::string_view space);

  Result<RetrievalStats> stats();  // loads every namespace
  // Compares every index with the truth: items, terms, document frequencies, vectors; and the truth with
  // itself.
  Result<RetrievalCheck> check();

  struct Impl;  // private to memory/retrieval

 private:
  explicit Retrieval(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace consort
