// Fitting a probe. Ridge: Hoerl and Kennard 1970, the closed form of the penalised least squares. Logistic:
// Newton's method (Hastie, Tibshirani, Friedman, section 4.4.1) with the same penalty, its steps by
// preconditioned conjugate gradients (logistic.cpp).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "models/probe/probe.h"

namespace consort {

struct ProbeData {
  std::size_t dimension = 0;
  std::span<const float> embeddings;      // [examples, dimension]
  std::span<const double> numbers;        // ridge: one for each example
  std::span<const std::int32_t> classes;  // logistic: each within labels
  std::vector<std::string> labels;        // logistic: at least two, sorted
  // A fold for each example, 0 to folds - 1 (split.h); empty: drawn by the seed, classes spread evenly.
  std::span<const int> folds;
  std::size_t examples() const { return dimension == 0 ? 0 : embeddings.size() / dimension; }
};

struct ProbeOptions {
  ProbeKind kind = ProbeKind::kRidge;
  int folds = 5;           // 2 to 20
  std::uint64_t seed = 0;  // of the split
  // Penalties tried, per example and standardised column; the one with the best held-out loss is taken.
  std::vector<double> penalties = {1e-3, 1e-2, 1e-1, 1, 10};
  std::function<bool()> stop;  // asked between fits; true ends with kCancelled
};

// Scores of predictions made by fits that had not seen the example.
struct ProbeScores {
  double rmse = 0, mae = 0, r2 = 0;            // ridge
  double accuracy = 0, log_loss = 0, auc = 0;  // logistic; auc: two classes, 0 else
  std::vector<double> predictions;  // ridge: a number; logistic: a probability for each class, row by row
};

struct ProbeFit {
  Probe probe;  // fitted on all examples; the target's name is left to the caller
  ProbeScores held_out;
};

// The scores of a probe on examples that it was not fitted on. Errors: those of Probe::apply.
Result<ProbeScores> score_probe(const Probe& probe, const ProbeData& data);

// Errors: kInvalid for too few examples (fewer than two a fold, or a class with fewer than `folds`), values
// that are not finite, targets that are all the same; kCancelled.
Result<ProbeFit> fit_probe(const ProbeData& data, const ProbeOptions& options);

// Area under the ROC curve: the chance that a positive scores above a negative, ties half. 0.5 when a class
// is missing.
double roc_auc(std::span<const double> scores, std::span<const std::int32_t> positive);

}  // namespace consort
