// A cascade over choices and labels: the cheapest member answers where it is sure, the others are asked about
// the rest. Private to this room.
#pragma once

#include "agents/evaluation/analysis/class_strategies.h"

namespace consort {

// `strong`: what combines all members once the others were asked. The threshold on the first member's
// calibrated probability is the cheapest one that keeps the strong stage's accuracy on the items of the fit.
ClassStrategy cascade(const std::vector<std::string>& names, ClassStrategy strong);

}  // namespace consort
