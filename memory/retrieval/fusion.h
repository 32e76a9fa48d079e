// Reciprocal rank fusion: G. V. Cormack, C. L. A. Clarke, S. Büttcher, "Reciprocal Rank Fusion outperforms
// Condorcet and individual Rank Learning Methods", SIGIR 2009.
#pragma once

#include <cstddef>
#include <optional>

namespace consort {

struct FusionOptions {
  double k = 60.0;  // the paper's
  double lexical_weight = 1.0, dense_weight = 1.0;
};

// sum over branches of weight / (k + rank), ranks from 1; a branch that does not have the item adds nothing.
double reciprocal_rank_score(const FusionOptions& options, std::optional<std::size_t> lexical_rank,
                             std::optional<std::size_t> dense_rank);

}  // namespace consort
