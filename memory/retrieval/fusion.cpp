#include "memory/retrieval/fusion.h"

namespace consort {

double reciprocal_rank_score(const FusionOptions& options, std::optional<std::size_t> lexical_rank,
                             std::optional<std::size_t> dense_rank) {
  double score = 0;
  if (lexical_rank) score += options.lexical_weight / (options.k + static_cast<double>(*lexical_rank));
  if (dense_rank) score += options.dense_weight / (options.k + static_cast<double>(*dense_rank));
  return score;
}

}  // namespace consort
