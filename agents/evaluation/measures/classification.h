// How good distributions over classes and chosen classes are. Proper scores (NLL, Brier) first. Pure
// functions; any thread. Items are rows; a mean is over items.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::measures {

using fitting::Matrix;
using fitting::MatrixView;

// log_p: [items, classes] ln p, rows sum to 1 within 1e-6; truth: [items], each in [0, classes).
// Errors of all here: kInvalid for no items, NaN, rows that are no distributions, wrong labels, unequal
// sizes.

// -ln p(truth) of each item, nats; +infinity where the truth got probability 0.
Result<std::vector<double>> nll_by_item(MatrixView log_p, std::span<const std::int32_t> truth);
// sum_k (p_k - y_k)^2 of each item, 0 to 2 (Brier 1950).
Result<std::vector<double>> brier_by_item(MatrixView log_p, std::span<const std::int32_t> truth);
Result<double> mean_nll(MatrixView log_p, std::span<const std::int32_t> truth);
Result<double> mean_brier(MatrixView log_p, std::span<const std::int32_t> truth);

// The likeliest class of each row, ties to the lowest (NaN never wins). REQUIRES: columns > 0.
std::vector<std::int32_t> likeliest(MatrixView log_p);
// 1 where predicted == truth, else 0; predicted -1 is an abstention and wrong. REQUIRES: equal sizes.
std::vector<std::uint8_t> marks(std::span<const std::int32_t> predicted, std::span<const std::int32_t> truth);
Result<double> accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> truth);

struct ClassScore {
  double precision = 0, recall = 0, f1 = 0;  // 0 where undefined (no predictions, no items)
  std::size_t items = 0, predicted = 0;
};
struct F1Report {
  double macro_f1 = 0;           // mean of f1 over the classes that occur in truth or predictions
  double balanced_accuracy = 0;  // mean recall over the classes that occur in truth
  double imbalance = 1;          // items of the largest class / items of the smallest that occurs
  std::vector<ClassScore> classes;
};
// predicted: each in [-1, classes). Errors: as above.
Result<F1Report> f1_report(std::span<const std::int32_t> predicted, std::span<const std::int32_t> truth,
                           std::size_t classes);

}  // namespace consort::measures
