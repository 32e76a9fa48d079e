// Weights on the simplex for members that predict numbers: least squares pulled to equal weights (research
// note A2: weights of at least 0 first).
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct SimplexRidge {
  std::vector<double> weights;      // >= 0, sum 1
  double mse = 0, mse_uniform = 0;  // on the fitted items, at `weights` and at equal weights
  int iterations = 0;
  bool converged = false;
};

// Minimises mean_i (y_i - sum_m w_m f_im)^2 + penalty * |w - 1/M|^2 over the simplex (active set).
// predictions: [items, members]; targets: [items]; penalty >= 0. Errors: kInvalid for no items or members,
// unequal sizes, values that are not finite.
Result<SimplexRidge> fit_simplex_ridge(MatrixView predictions, std::span<const double> targets,
                                       double penalty);

}  // namespace consort::fitting
