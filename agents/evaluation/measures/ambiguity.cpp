#include "agents/evaluation/measures/ambiguity.h"

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {

Result<Ambiguity> ambiguity(fitting::MatrixView predictions, std::span<const double> targets,
                            std::span<const double> weights) {
  CONSORT_CHECK_OK(fitting::check_matrix(predictions, "predictions"));
  CONSORT_CHECK_OK(fitting::check_same_size(predictions.rows(), targets.size(), "predictions and targets"));
  CONSORT_CHECK_OK(fitting::check_finite(targets, "targets"));
  CONSORT_TRY(w, fitting::normalised(weights, predictions.columns));
  const auto n = static_cast<double>(targets.size());
  Ambiguity made;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto row = predictions.row(i);
    double mean = 0;
    for (std::size_t m = 0; m < row.size(); ++m) mean += w[m] * row[m];
    made.ensemble_error += (mean - targets[i]) * (mean - targets[i]) / n;
    for (std::size_t m = 0; m < row.size(); ++m) {
      made.member_error += w[m] * (row[m] - targets[i]) * (row[m] - targets[i]) / n;
      made.ambiguity += w[m] * (row[m] - mean) * (row[m] - mean) / n;
    }
  }
  return made;
}

}  // namespace consort::measures
