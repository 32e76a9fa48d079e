// Weights of linear and log pools, fitted on held-out items (research note A2). Pooling itself is pools.h of
// this room.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct PoolWeightOptions {
  int max_iterations = 500;
  double tolerance = 1e-10;  // of the duality gap, which bounds what is still to be gained, nats an item
};

struct PoolWeights {
  std::vector<double> weights;      // >= 0, sum 1, one a member
  double nll_uniform = 0, nll = 0;  // nats an item, at equal weights and at `weights`
  int iterations = 0;
  bool converged = false;
};

// Linear pool by expectation maximisation, w_m <- mean_i w_m p_m(y_i) / sum_j w_j p_j(y_i), 50 steps from
// equal weights (the likelihood never falls), then Newton's method on the simplex, because EM takes thousands
// of steps to weights near 0. log_p_truth: [items, members], ln p_m(y_i); -infinity is allowed. Errors:
// kInvalid for no items or members, NaN, values above 0, an item to which every member gives 0.
Result<PoolWeights> fit_linear_pool(MatrixView log_p_truth, const PoolWeightOptions& options = {});

// Log pool: convex in w, so the end does not depend on the start; Newton's method on the simplex.
// (Exponentiated gradient had not come within 1e-10 after 500 steps on 42 of 150 random tables whose members
// differ in sharpness.) members: [member] of [items, classes] ln p; truth: [items]. Every ln p must be
// finite: give members a floor first. Errors: kInvalid for no members, unequal shapes, rows that do not sum
// to 1, values that are not finite, wrong labels.
Result<PoolWeights> fit_log_pool(std::span<const MatrixView> members, std::span<const std::int32_t> truth,
                                 const PoolWeightOptions& options = {});

// Fitted weights under 200 items are pulled half way to equal ones, w <- w / 2 + 1 / (2 M); others stay.
inline constexpr std::size_t kItemsForFullWeights = 200;
std::vector<double> shrunk_weights(std::vector<double> weights, std::size_t items);

// What pooling gains over the mean member, in nats an item: gain = mean_nll - pool_nll >= 0 (both pools; the
// log pool's gain is exactly -ln Z). Neither pool is sure to beat the best member.
struct PoolGain {
  double pool_nll = 0;
  double mean_nll = 0;  // sum_m w_m NLL_m
  double gain = 0;      // linear: mean of sum_m w_m ln(p(y) / p_m(y)); log: mean of -ln Z
};
// As fit_log_pool for sizes and errors; weights: empty for equal ones.
Result<PoolGain> linear_pool_gain(std::span<const MatrixView> members, std::span<const double> weights,
                                  std::span<const std::int32_t> truth);
Result<PoolGain> log_pool_gain(std::span<const MatrixView> members, std::span<const double> weights,
                               std::span<const std::int32_t> truth);
// ln p of the pool for every item: [items, classes]. Errors: as above.
Result<Matrix> linear_pool(std::span<const MatrixView> members, std::span<const double> weights);
Result<Matrix> log_pool(std::span<const MatrixView> members, std::span<const double> weights);

}  // namespace consort::fitting
