// The contest of retrieval: rankings of documents against relevance marks. Private to this room.
#pragma once

#include "agents/evaluation/analysis/analysis.h"

namespace consort {

// Members, fused rankings, the oracle; nDCG at 10 first. See analysis.h, make_contest.
Result<Contest> retrieval_contest(const AnalysisRequest& request);
std::vector<std::string> retrieval_strategy_names();
// Mean nDCG at 10 over the fit split's queries that have a relevant document; NaN without one.
double retrieval_fit_ndcg(const Task& task, const MemberTable& member);

}  // namespace consort
