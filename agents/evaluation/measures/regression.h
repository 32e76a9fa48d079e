// Numbers against numbers: errors and correlations.
#pragma once

#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::measures {

struct RegressionScores {
  double rmse = 0, mae = 0;  // in the target's unit
  double r2 = 0;             // 1 - SSE / SST; NaN when the targets do not vary
};
// Errors of all here: kInvalid for no items, unequal sizes, values that are not finite.
Result<RegressionScores> regression_scores(std::span<const double> predicted, std::span<const double> truth);

// Also kInvalid when either side does not vary, or there are fewer than two items.
Result<double> pearson(std::span<const double> a, std::span<const double> b);
// Pearson of ranks, ties share their mean rank (Spearman 1904).
Result<double> spearman(std::span<const double> a, std::span<const double> b);
// Ranks from 1, ascending; ties share the mean.
std::vector<double> mean_ranks(std::span<const double> values);

}  // namespace consort::measures
