// Prediction sets of the contestants over choices and labels: split conformal. Private to this room.
#pragma once

#include "agents/evaluation/analysis/class_table.h"
#include "agents/evaluation/analysis/results.h"

namespace consort {

// Which items of the fit split a contestant is fitted on and which are left to calibrate its sets.
struct SetSplit {
  ClassSplit fitted, calibration;
  bool enough() const;  // fewer calibration items give sets that hold every class
};
// `folds`: as cross-fitting has them, groups undivided; the even ones are fitted on.
SetSplit set_split(const ClassSplit& fit, const std::vector<int>& folds);

// LAC, APS and RAPS sets of one strategy at kSetMissRate on the test items. Empty for strategies without
// probabilities. Errors: kInvalid from the fitting.
Result<std::vector<PredictionSets>> prediction_sets(const std::string& contestant,
                                                    const ClassStrategy& strategy, const SetSplit& split,
                                                    const ClassSplit& test, std::uint64_t seed);

}  // namespace consort
