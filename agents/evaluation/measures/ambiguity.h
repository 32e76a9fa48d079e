// Error of an average of predictors split into the members' error and their spread (Krogh and Vedelsby 1995).
// The analogues for log loss are linear_pool_gain and log_pool_gain of agents/ensemble/fitting; the entropy
// split is uncertainty_split there.
#pragma once

#include <span>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::measures {

struct Ambiguity {
  double ensemble_error = 0;  // mean_i (f - y)^2, f = sum_m w_m f_m
  double member_error = 0;    // mean_i sum_m w_m (f_m - y)^2
  double ambiguity = 0;       // mean_i sum_m w_m (f_m - f)^2; ensemble_error = member_error - ambiguity
};
// predictions: [items, members]; targets: [items]; weights: one a member, empty for equal, normalised here.
// Errors: kInvalid for no items, unequal sizes, values that are not finite, wrong weights.
Result<Ambiguity> ambiguity(fitting::MatrixView predictions, std::span<const double> targets,
                            std::span<const double> weights = {});

}  // namespace consort::measures
