// Search: both branches over the index, fusion, then the texts of the winners from the store.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

#include "memory/retrieval/retrieval_impl.h"

namespace consort {
namespace {

constexpr std::size_t kMaxTopK = 1000, kMaxDepth = 10'000, kMaxQueryBytes = 64u << 10;

bool by_words(SearchMode mode) {
  return mode == SearchMode::kLexical || mode == SearchMode::kHybrid;
}

Status check_query(const SearchQuery& q) {
  const bool lexical = by_words(q.mode), dense = q.mode != SearchMode::kLexical;
  if (q.top_k == 0 || q.top_k > kMaxTopK)
    return fail(ErrorKind::kInvalid, fmt::format("topK is 1 to {}", kMaxTopK));
  if (q.depth > kMaxDepth)
    return fail(ErrorKind::kInvalid, fmt::format("the depth is at most {}", kMaxDepth));
  if (lexical && (q.text.empty() || q.text.size() > kMaxQueryBytes)) {
    return fail(ErrorKind::kInvalid, fmt::format("a query is 1 to {} bytes of text", kMaxQueryBytes));
  }
  if (dense && q.vector.empty())
    return fail(ErrorKind::kInvalid, "a search by meaning needs the query's vector");
  if (dense && !comparable(q.vector))
    return fail(ErrorKind::kInvalid, "the query's vector is not finite, or has numbers above 1e15");
  const FusionOptions& f = q.fusion;
  if (!(f.k >= 0 && std::isfinite(f.k) && f.lexical_weight >= 0 && f.dense_weight >= 0 &&
        std::isfinite(f.lexical_weight) && std::isfinite(f.dense_weight))) {
    return fail(ErrorKind::kInvalid, "the fusion's k and weights are finite and not negative");
  }
  if (q.filter) return check_filter(*q.filter);
  return {};
}

Status check_space(const SearchQuery& q, const VectorSpace& space) {
  if (q.fingerprint != space.fingerprint) {
    return fail(ErrorKind::kInvalid,
                fmt::format("the space '{}' holds vectors of model {}, the query's is of {}", space.name,
                            space.fingerprint, q.fingerprint),
                "", "embed the query with the model of the space");
  }
  const bool late = space.metric == VectorMetric::kMaxSim;
  if (late != (q.mode == SearchMode::kLateInteraction)) {
    return fail(ErrorKind::kInvalid,
                fmt::format("the space '{}' has {} for each item", space.name,
                            late ? "vectors of all tokens" : "one vector"),
                "", late ? "search it with mode lateInteraction" : "search it with mode dense or hybrid");
  }
  const std::size_t rows = q.vector.size() / space.dimension;
  if (q.vector.size() % space.dimension != 0 || (rows != 1 && !late)) {
    return fail(ErrorKind::kInvalid, fmt::format("the query's vector has {} numbers, the space '{}' {}",
                                                 q.vector.size(), space.name, space.dimension));
  }
  if (space.metric == VectorMetric::kCosine && inverse_norm(q.vector) == 0.0f) {
    return fail(ErrorKind::kInvalid, "a query vector of zeros has no cosine");
  }
  return {};
}

// The best `depth`, best first; equal scores by id, so that the order does not depend on the order of
// arrival.
void keep_best(std::vector<ScoredSlot>& scored, std::size_t depth, const NamespaceIndex& index) {
  const auto better = [&](const ScoredSlot& a, const ScoredSlot& b) {
    return a.score != b.score ? a.score > b.score : index.slot(a.slot).id < index.slot(b.slot).id;
  };
  const std::size_t n = std::min(depth, scored.size());
  std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(n), scored.end(), better);
  scored.resize(n);
}

struct Candidate {
  std::uint32_t slot = 0;
  double score = 0;
  std::optional<BranchRank> lexical, dense;
};

std::vector<Candidate> fuse(const SearchQuery& q, const std::vector<ScoredSlot>& lexical,
                            const std::vector<ScoredSlot>& dense) {
  std::vector<Candidate> all;
  std::unordered_map<std::uint32_t, std::size_t> place;
  const auto candidate = [&](std::uint32_t slot) -> Candidate& {
    const auto [it, added] = place.try_emplace(slot, all.size());
    if (added) all.push_back({slot, 0, {}, {}});
    return all[it->second];
  };
  for (std::size_t i = 0; i < lexical.size(); ++i)
    candidate(lexical[i].slot).lexical = BranchRank{i + 1, lexical[i].score};
  for (std::size_t i = 0; i < dense.size(); ++i)
    candidate(dense[i].slot).dense = BranchRank{i + 1, dense[i].score};
  const auto rank = [](const std::optional<BranchRank>& b) {
    return b ? std::optional(b->rank) : std::nullopt;
  };
  for (Candidate& c : all) {
    c.score = q.mode == SearchMode::kLexical ? c.lexical->score
              : q.mode != SearchMode::kHybrid
                  ? c.dense->score
                  : reciprocal_rank_score(q.fusion, rank(c.lexical), rank(c.dense));
  }
  return all;
}

// Which slots the filter lets through: decided once for both branches.
std::vector<bool> filter_mask(const NamespaceIndex& index, const Filter& filter) {
  std::vector<bool> mask(index.slots().size());
  for (std::size_t i = 0; i < mask.size(); ++i) {
    mask[i] = index.slots()[i].live && matches(filter, index.slots()[i].subject());
  }
  return mask;
}

}  // namespace

std::string_view search_mode_name(SearchMode mode) {
  switch (mode) {
    case SearchMode::kLexical:
      return "lexical";
    case SearchMode::kDense:
      return "dense";
    case SearchMode::kHybrid:
      return "hybrid";
    case SearchMode::kLateInteraction:
      return "lateInteraction";
  }
  return "hybrid";
}

std::optional<SearchMode> parse_search_mode(std::string_view name) {
  for (const auto mode :
       {SearchMode::kLexical, SearchMode::kDense, SearchMode::kHybrid, SearchMode::kLateInteraction}) {
    if (name == search_mode_name(mode)) return mode;
  }
  return std::nullopt;
}

namespace {

Result<std::vector<Candidate>> find_candidates(const SearchQuery& q, const RetrievalOptions& options,
                                               const NamespaceIndex& index, SearchResult& result) {
  std::vector<bool> mask;
  std::function<bool(std::uint32_t)> keep;
  if (q.filter) {
    mask = filter_mask(index, *q.filter);
    keep = [&mask](std::uint32_t slot) { return mask[slot]; };
  }
  const std::size_t depth = q.mode == SearchMode::kHybrid ? std::max(q.depth, q.top_k) : q.top_k;
  std::vector<ScoredSlot> lexical, dense;
  if (by_words(q.mode)) {
    lexical =
        index.lexical().score(analyze(q.text, options.analyzer), {options.bm25_k1, options.bm25_b}, keep);
    result.lexical_matches = lexical.size();
    keep_best(lexical, depth, index);
  }
  const VectorIndex* vectors = q.mode == SearchMode::kLexical ? nullptr : index.space(q.space);
  if (vectors) {
    CONSORT_CHECK_OK(check_space(q, vectors->space()));
    if (q.mode == SearchMode::kLateInteraction) {
      dense = vectors->score_tokens(q.vector, options.max_sim, keep);
      result.dense_matches = dense.size();
    } else {
      auto nearest = vectors->nearest(q.vector, depth, options.dot, options.code_dots, keep);
      dense = std::move(nearest.scored);
      result.dense_matches = nearest.matches;
    }
    keep_best(dense, depth, index);
  }
  std::vector<Candidate> fused = fuse(q, lexical, dense);
  std::sort(fused.begin(), fused.end(), [&](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : index.slot(a.slot).id < index.slot(b.slot).id;
  });
  if (fused.size() > q.top_k) fused.resize(q.top_k);
  return fused;
}

}  // namespace

Result<SearchResult> Retrieval::search(const SearchQuery& q) {
  CONSORT_CHECK_OK(check_query(q));
  CONSORT_TRY(entry, impl_->entry(q.name_space));
  const std::shared_lock lock(entry->mutex);
  const NamespaceIndex& index = entry->index;
  SearchResult result;
  result.items = index.items();
  result.known_namespace = result.items > 0;
  CONSORT_TRY(candidates, find_candidates(q, impl_->options, index, result));
  for (const Candidate& c : candidates) {
    const auto& slot = index.slot(c.slot);
    CONSORT_TRY(value, impl_->store.get(kItemFamily, item_key(q.name_space, slot.id)));
    if (!value) continue;  // a commit erased it and waits for this lock
    CONSORT_TRY(stored, decode_item(slot.id, *value));
    if (stored.digest != slot.digest) continue;  // the same with another text
    result.hits.push_back({std::move(stored.item), c.score, c.lexical, c.dense, {}});
  }
  return result;
}

}  // namespace consort
