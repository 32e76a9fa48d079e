// The contest of pairs: how near two texts are, as marks or numbers. Private to this room.
#pragma once

#include "agents/evaluation/analysis/analysis.h"

namespace consort {

// Members, fused similarities, the oracle. True and false: AUROC, accuracy, NLL of a fitted sigmoid. Numbers:
// Spearman and Pearson. See analysis.h, make_contest.
Result<Contest> pair_contest(const AnalysisRequest& request);
std::vector<std::string> pair_strategy_names();
// auroc of marks, rank correlation of numbers, on the fit split; NaN where it is not defined.
double pair_fit_quality(const Task& task, const MemberTable& member);

}  // namespace consort
