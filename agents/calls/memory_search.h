// Search of the retrieval memory with everything a model does for it: the query's vectors before, reranking
// by a cross-encoder behind. Used by `retrieve` and the command `memory search`.
#pragma once

#include <cstddef>
#include <string>

#include "agents/calls/embedding.h"
#include "memory/retrieval/retrieval.h"

namespace consort {

// The model of a search by late interaction where a task names none.
inline constexpr const char* kDefaultTokenEmbedder = "answerai-colbert-small-v1";

struct MemorySearch {
  SearchQuery query;            // with a vector, the model is not asked
  std::string model;            // of the query's vectors; empty: the default of the mode
  std::string rerank;           // a cross-encoder that orders the first hits anew; empty: none
  std::size_t candidates = 30;  // hits that it reads (at least topK, at most 1,000)
};
struct MemoryFound {
  SearchResult result;  // reranked: `score` is the cross-encoder's logit
  Usage usage;          // of all models together
};

// Errors: those of the models and of Retrieval::search; kUnsupported when `rerank` does not score pairs.
Async<MemoryFound> search_memory(Retrieval* memory, ModelDirectory* models, MemorySearch search,
                                 RequestContext context);

}  // namespace consort
