#include "agents/calls/memory_search.h"

#include <algorithm>

#include "agents/calls/blocking.h"
#include "agents/calls/options.h"

namespace consort {
namespace {

constexpr std::size_t kMostCandidates = 1000, kPairsAtATime = 64;

std::string model_of(const MemorySearch& search) {
  if (!search.model.empty()) return search.model;
  return search.query.mode == SearchMode::kLateInteraction ? kDefaultTokenEmbedder : kDefaultEmbedder;
}

// Scores of the hits in their order.
Async<std::vector<double>> rerank_scores(ModelDirectory* models, std::string model, std::string query,
                                         std::vector<std::string> passages, RequestContext context,
                                         Usage* usage) {
  std::vector<double> scores;
  auto handle = co_await models->acquire(model, context);
  if (!handle) co_return forward_error(handle);
  for (std::size_t at = 0; at < passages.size(); at += kPairsAtATime) {
    RerankRequest request;
    const std::size_t end = std::min(passages.size(), at + kPairsAtATime);
    for (std::size_t i = at; i < end; ++i) request.pairs.push_back({query, std::move(passages[i])});
    auto result = co_await handle->rerank(std::move(request), context);
    if (!result) co_return forward_error(result);
    if (!result->errors.empty()) co_return tl::unexpected<Error>(result->errors.front().error);
    scores.insert(scores.end(), result->scores.begin(), result->scores.end());
    *usage += result->usage;
  }
  co_return scores;
}

// Best first; equal scores by the order they came in.
void order_anew(std::vector<SearchHit>& hits, const std::vector<double>& scores, std::size_t top_k) {
  for (std::size_t i = 0; i < hits.size() && i < scores.size(); ++i) hits[i].score = scores[i];
  std::stable_sort(hits.begin(), hits.end(),
                   [](const SearchHit& a, const SearchHit& b) { return a.score > b.score; });
  if (hits.size() > top_k) hits.resize(top_k);
  for (std::size_t i = 0; i < hits.size(); ++i) hits[i].rerank = BranchRank{i + 1, hits[i].score};
}

}  // namespace

Async<MemoryFound> search_memory(Retrieval* memory, ModelDirectory* models, MemorySearch search,
                                 RequestContext context) {
  MemoryFound found;
  const bool needs_vector = search.query.mode != SearchMode::kLexical && search.query.vector.empty();
  if ((needs_vector || !search.rerank.empty()) && models == nullptr)
    co_return not_connected("retrieve", "models");
  if (!search.rerank.empty() && search.query.text.empty())
    co_return fail(ErrorKind::kInvalid, "reranking compares texts, and the query has none");
  if (needs_vector) {
    std::vector<std::string> texts{search.query.text};
    auto embedded =
        co_await embed_texts(*models, model_of(search), std::move(texts), "query", context, std::nullopt);
    if (!embedded) co_return forward_error(embedded);
    search.query.vector = std::move(embedded->vectors[0]);
    search.query.space = embedded->space.name;
    search.query.fingerprint = embedded->space.fingerprint;
    found.usage += embedded->usage;
  }
  const std::size_t top_k = search.query.top_k;
  if (!search.rerank.empty())
    search.query.top_k = std::min(std::max(top_k, search.candidates), kMostCandidates);
  auto work = [memory, q = search.query] { return memory->search(q); };
  auto result = co_await on_blocking_pool(std::move(work));
  if (!result) co_return forward_error(result);
  found.result = std::move(*result);
  if (search.rerank.empty() || found.result.hits.empty()) co_return found;
  std::vector<std::string> passages;
  for (const SearchHit& hit : found.result.hits) passages.push_back(hit.item.text);
  auto scores = co_await rerank_scores(models, search.rerank, search.query.text, std::move(passages), context,
                                       &found.usage);
  if (!scores) co_return forward_error(scores);
  order_anew(found.result.hits, *scores, top_k);
  co_return found;
}

}  // namespace consort
