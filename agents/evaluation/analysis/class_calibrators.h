// What each way of calibrating makes of members and of their plain pool, over choices and labels. Private to
// this room.
#pragma once

#include "agents/evaluation/analysis/class_table.h"
#include "agents/evaluation/analysis/results.h"

namespace consort {

// One strategy's probabilities as they came and calibrated: by temperature, by vector scaling (labels, where
// every item has all classes), for two classes also by Platt's sigmoid and isotonic regression (of the
// log-odds of the second class). Fitted on `fit`, measured on `test`. Empty for strategies without
// probabilities; ways that cannot be fitted (a class without items) are left out. Errors: kInvalid from the
// strategy's fitting.
Result<std::vector<CalibratorResult>> calibrator_results(const std::string& contestant,
                                                         const ClassStrategy& strategy, const ClassSplit& fit,
                                                         const ClassSplit& test);

}  // namespace consort
