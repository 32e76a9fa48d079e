// Isotonic regression: the non-decreasing function nearest to the targets in squares. Use it for calibration
// only with more than a thousand items (research note A5); it overfits below.
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct Isotonic {
  std::vector<double> scores;  // knots, strictly ascending
  std::vector<double> values;  // fitted values there, ascending
  // Linear between knots, constant beyond them. REQUIRES: fitted.
  double value(double score) const;
};

// Pool adjacent violators (Barlow et al. 1972). Items of equal score are pooled first, so that their order
// does not matter. weights: empty for 1 each. Knots: the first and the last score of each pool. Errors:
// kInvalid for no items, unequal sizes, values that are not finite, weights that are not positive.
Result<Isotonic> fit_isotonic(std::span<const double> scores, std::span<const double> targets,
                              std::span<const double> weights = {});

}  // namespace consort::fitting
