// The contest of choices and labels. Private to this room.
#pragma once

#include "agents/evaluation/analysis/analysis.h"

namespace consort {

// Members as recorded and calibrated, strategies, the control, the oracle. See analysis.h, make_contest.
Result<Contest> class_contest(const AnalysisRequest& request);

// A member's accuracy on the fit split. REQUIRES: its logs are filled.
double class_fit_accuracy(const Task& task, const MemberTable& member);

}  // namespace consort
