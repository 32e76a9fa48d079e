// Fusing ranked lists of documents (research note A5). Results do not depend on the order of lists or of
// documents within them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "memory/base/status.h"

namespace consort::fitting {

struct ScoredDocument {
  std::string document;
  double score = 0;  // higher is better
};
using ScoredList = std::vector<ScoredDocument>;

// All return every document of any list, best first, ties by name. weights: one a list, empty for equal; they
// are used as given (not normalised). Errors: kInvalid for no lists, unequal sizes, negative weights, scores
// that are not finite, a document twice in one list.

// sum_m w_m / (k + rank_m), rank from 1 by score; documents of equal score share the better rank; a missing
// document adds nothing (Cormack, Clarke, Buettcher 2009).
Result<ScoredList> reciprocal_rank_fusion(std::span<const ScoredList> lists,
                                          std::span<const double> weights = {}, double k = 60);
// sum_m w_m (s - min) / (max - min) (CombSUM after min-max; Fox and Shaw 1994); a list without spread gives 1
// to all of its documents; a missing document adds nothing.
Result<ScoredList> comb_sum(std::span<const ScoredList> lists, std::span<const double> weights = {});
// sum_m w_m (s - mean) / deviation over the list's documents (one query); a list without spread gives 0; a
// missing document gets that list's lowest z.
Result<ScoredList> z_fusion(std::span<const ScoredList> lists, std::span<const double> weights = {});

}  // namespace consort::fitting
