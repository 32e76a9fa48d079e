// One query's ranking against relevance marks (qrels). Definitions as in trec_eval. Average over queries
// outside, so that queries stay the unit of resampling.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "memory/base/status.h"

namespace consort::measures {

using Relevance = std::map<std::string, double>;  // grade of each judged document; > 0 is relevant

struct RetrievalScores {
  double recall = 0;     // relevant among the first k / all relevant
  double precision = 0;  // relevant among the first k / k
  double ndcg = 0;       // gain = grade, discount = log2(rank + 1), against the best order, both cut at k
  double reciprocal_rank = 0;    // 1 / rank of the first relevant one in the whole list given; 0 when none
  double average_precision = 0;  // over the whole list given
};
// ranked: documents, best first; those without a mark are not relevant. Errors: kInvalid for k = 0, a
// document twice, no relevant document (leave the query out and say so), grades that are NaN or negative.
Result<RetrievalScores> retrieval_scores(std::span<const std::string> ranked, const Relevance& marks,
                                         std::size_t k);

}  // namespace consort::measures
