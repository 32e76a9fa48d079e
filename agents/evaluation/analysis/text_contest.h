// The contest of texts to score: bits per byte of members and mixtures. Private to this room.
#pragma once

#include "agents/evaluation/analysis/analysis.h"

namespace consort {

// Members, mixtures over whole texts and piece by piece, the control, the oracle. See analysis.h,
// make_contest.
Result<Contest> text_contest(const AnalysisRequest& request);
std::vector<std::string> text_strategy_names();

}  // namespace consort
