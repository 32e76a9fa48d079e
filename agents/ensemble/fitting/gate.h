// A gate: weights of a linear pool that depend on what is known before each step. The gate of a mixture of
// experts whose experts stay as they are (Jacobs, Jordan, Nowlan, Hinton 1991).
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct GateModel {
  Matrix weights;              // [members, features], log-odds a unit of the feature; every column sums to 0
  std::vector<double> biases;  // [members], log-odds where all features are 0; sum to 0
  double nll = 0;              // nats a step on the fitted steps, without the penalty
  double slope = 0;            // largest |gradient| of the loss a step, in standardised units
  int iterations = 0;
  bool converged = false;  // what a step could still gain is below 1e-12 of the loss
  // ln of the members' weights at one step; their exponentials sum to 1. REQUIRES: as many features as
  // columns, none NaN.
  std::vector<double> log_weights(std::span<const double> features) const;
};

// Minimises -sum_i ln sum_m g_m(x_i) p_m(y_i) + penalty * sum_m,j (w_mj s_j)^2, where g = softmax(biases +
// weights x), s_j the deviation of feature j (features that do not vary get weight 0); biases are free. For
// two members the penalty is penalty / 2 times the square of the log-odds' weight, as in fit_logistic.
// Newton's steps with step halving from equal weights; where the loss is not convex, with the curvature of
// the EM bound (Jordan and Jacobs 1994), which always descends: so the loss never rises and the end is a
// stationary point, not always the best one. Permuting members permutes the result up to rounding. features:
// [steps, features]; log_p_truth: [steps, members], ln p_m(y_i), -infinity is allowed. Errors: kInvalid for
// fewer than two members, unequal numbers of steps, features that are not finite, NaN, values above 0, a step
// to which every member gives 0, a penalty that is not positive.
Result<GateModel> fit_gate(MatrixView features, MatrixView log_p_truth, double penalty);

}  // namespace consort::fitting
