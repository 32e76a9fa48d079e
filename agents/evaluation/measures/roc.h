// Area under the ROC curve with unlabelled items left out (Tox21 and its like have gaps).
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::measures {

struct Auroc {
  double value = 0;  // chance that a positive scores above a negative, ties half (Mann and Whitney 1947)
  std::size_t positives = 0, negatives = 0, masked = 0;
};
// labels: 1, 0, or NaN (left out, whatever its score). Errors: kInvalid for no items, unequal sizes, other
// labels, NaN scores of labelled items, a class without items.
Result<Auroc> auroc(std::span<const double> scores, std::span<const double> labels);

struct MeanAuroc {
  double mean = 0;            // over tasks that have both classes
  std::vector<double> tasks;  // NaN where a class is missing
  std::size_t left_out = 0;   // how many those are
};
// scores, labels: [items, tasks]. Errors: as above; no task with both classes.
Result<MeanAuroc> mean_auroc(fitting::MatrixView scores, fitting::MatrixView labels);

}  // namespace consort::measures
