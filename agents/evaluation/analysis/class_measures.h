// Measures of choices and labels. Private to this room.
#pragma once

#include "agents/evaluation/analysis/contest.h"
#include "agents/evaluation/task/task.h"

namespace consort {

// auroc (two labels), accuracy, nll, brier, macroF1 (labels), ece, eceDebiased, aurc.
void add_class_measures(Contest& contest, const Task& task);
// Area under the risk-coverage curve of right and wrong by confidence.
GroupMeasure selective_area();

}  // namespace consort
