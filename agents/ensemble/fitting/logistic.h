// Logistic regression with an L2 penalty: the stacker, the router, and their out-of-fold predictions.
// Newton's method (Hastie, Tibshirani, Friedman, section 4.4.1) in double; sizes are those of feature lists
// (tens).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct LogisticModel {
  std::vector<double> weights;  // one a feature, in the feature's own units
  double bias = 0;              // not penalised
  int iterations = 0;
  bool converged = false;
  // REQUIRES: as many features as weights.
  double logit(std::span<const double> features) const;
  double probability(std::span<const double> features) const;
};

// Minimises sum_i log-loss_i + penalty / 2 * sum_j (w_j s_j)^2, s_j the deviation of feature j (so the
// penalty does not depend on units; features that do not vary get weight 0). target: 0 or 1. penalty > 0: the
// minimum exists even when a hyperplane separates the classes. Errors: kInvalid for no items, unequal sizes,
// values that are not finite, other targets than 0 and 1, a class without items, a penalty that is not
// positive.
Result<LogisticModel> fit_logistic(MatrixView features, std::span<const std::uint8_t> target, double penalty);

// Folds for out-of-fold work: items of one group (any numbers; empty: each item alone) stay together, groups
// are dealt by seed. Values 0 .. folds - 1. Errors: kInvalid for folds below 2, fewer groups than folds,
// unequal sizes.
Result<std::vector<int>> group_folds(std::size_t items, std::span<const std::int32_t> groups, int folds,
                                     std::uint64_t seed);

// P(target = 1) of each item from a model that has not seen its fold. Errors: those of both; a fold outside
// which a class has no items.
Result<std::vector<double>> out_of_fold(MatrixView features, std::span<const std::uint8_t> target,
                                        double penalty, std::span<const int> folds);

// Stacking over choices: p(choice c of item i) = softmax_c(w . features[i, c]) (conditional logit, McFadden
// 1974), one weight a feature for all choices. features: [sum of choices, features], choice after choice;
// choices: how many each item has; truth: the right one's place within its item. No bias (it would cancel);
// penalty / 2 * |w s|^2 as above.
struct ChoiceStacker {
  std::vector<double> weights;
  int iterations = 0;
  bool converged = false;
  // ln p over the choices of one item. REQUIRES: as many columns as weights.
  std::vector<double> log_probabilities(MatrixView choices) const;
};
// Errors: kInvalid as above; an item with fewer than two choices.
Result<ChoiceStacker> fit_choice_stacker(MatrixView features, std::span<const std::size_t> choices,
                                         std::span<const std::int32_t> truth, double penalty);

}  // namespace consort::fitting
