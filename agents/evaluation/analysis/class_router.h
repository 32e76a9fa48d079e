// Cascades over choices and labels whose decision to ask on is learned, or keeps a bound. Private to this
// room.
#pragma once

#include <string>
#include <vector>

#include "agents/evaluation/analysis/class_strategies.h"

namespace consort {

// A logistic router (fitting/cascade.h, fit_router) on the cheapest member's calibrated distribution (largest
// probability, lead, entropy, number of options) and, where it gives one and out-of-fold log-loss is lower with
// it, on its embedding of the item (the first principal directions). Its threshold is the cheapest one that keeps the strong
// stage's accuracy, by out-of-fold predictions. Where the others are never better nobody else is asked.
ClassStrategy learned_cascade(const std::vector<std::string>& names, ClassStrategy strong);

// The threshold on the cheapest member's calibrated probability by conformal risk control
// (fitting/risk_control.h): the expected share of items that the strong stage would have had right and the
// cheap one, not deferred, has wrong is at most alpha. Both stages are fitted on every second item, the
// threshold on the others. Where even one such item would be too much the others are always asked.
ClassStrategy bounded_cascade(const std::vector<std::string>& names, ClassStrategy strong, double alpha);

}  // namespace consort
