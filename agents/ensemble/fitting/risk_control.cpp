#include "agents/ensemble/fitting/risk_control.h"

#include <cmath>

#include "agents/ensemble/fitting/checks.h"

namespace consort::fitting {

Result<RiskChoice> control_risk(MatrixView losses, double alpha, double bound) {
  CONSORT_CHECK_OK(check_matrix(losses, "losses"));
  if (!(alpha > 0) || !(bound > 0) || !std::isfinite(alpha) || !std::isfinite(bound)) {
    return fail(ErrorKind::kInvalid, "alpha and the bound of the losses must be above 0 and finite");
  }
  for (std::size_t i = 0; i < losses.rows(); ++i) {
    const auto row = losses.row(i);
    for (std::size_t s = 0; s < row.size(); ++s) {
      if (row[s] < 0 || row[s] > bound) return fail(ErrorKind::kInvalid, "a loss lies outside [0, bound]");
      if (s > 0 && row[s] < row[s - 1]) {
        return fail(ErrorKind::kInvalid,
                    "the losses of item " + std::to_string(i) + " fall with a bolder setting", "",
                    "order settings from careful to bold, and use a loss that only grows with them");
      }
    }
  }
  const auto n = static_cast<double>(losses.rows());
  RiskChoice made;
  for (std::size_t s = 0; s < losses.columns; ++s) {
    double sum = 0;
    for (std::size_t i = 0; i < losses.rows(); ++i) sum += losses.at(i, s);
    const double bounded = (sum + bound) / (n + 1);  // n/(n+1) mean + bound/(n+1)
    const bool keeps = bounded <= alpha;
    if (s > 0 && !keeps) break;
    made.risk = sum / n;
    made.bounded_risk = bounded;
    if (!keeps) break;
    made.place = s;
  }
  return made;
}

}  // namespace consort::fitting
