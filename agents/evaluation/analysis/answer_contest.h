// The contest of free answers. Private to this room.
#pragma once

#include "agents/evaluation/analysis/analysis.h"

namespace consort {

// Members, votes, self-consistency of the best member as control, the oracle. See analysis.h, make_contest.
Result<Contest> answer_contest(const AnalysisRequest& request);
std::vector<std::string> answer_strategy_names();
// Share of the fit split's items that the member has right; an abstention is wrong.
double answer_fit_accuracy(const Task& task, const MemberTable& member);

}  // namespace consort
