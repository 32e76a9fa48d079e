// Selective prediction: what the risk is when only the surest items are answered.
#pragma once

#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::measures {

struct RiskCoveragePoint {
  double coverage = 0;   // share of items answered
  double risk = 0;       // mean loss of those
  double threshold = 0;  // least confidence answered
};
struct SelectiveRisk {
  std::vector<RiskCoveragePoint> curve;  // one a distinct confidence, surest first; the last has coverage 1
  double aurc = 0;     // mean over k = 1..n of the risk of the k surest items; within a group of equal
                       // confidence the mean over its orders (votes tie often)
  double optimal = 0;  // of the best order of the same losses, exactly (0/1 losses: about r + (1-r) ln(1-r))
  double excess = 0;   // E-AURC = aurc - optimal (Geifman, Uziel, El-Yaniv 2019)
};
// loss: >= 0, mostly 1 wrong, 0 right. Errors: kInvalid for no items, unequal sizes, NaN, negative losses.
Result<SelectiveRisk> selective_risk(std::span<const double> confidence, std::span<const double> loss);

}  // namespace consort::measures
