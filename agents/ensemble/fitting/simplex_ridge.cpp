#include "agents/ensemble/fitting/simplex_ridge.h"

#include <cmath>
#include <utility>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/simplex_newton.h"

namespace consort::fitting {
namespace {

// mean_i (sum_m w_m (f_im - y_i))^2 + penalty |w - 1/M|^2: on the simplex the first is the squared error, and
// offsets from the target lose no digits when targets are far from 0.
class RidgeLoss : public Bowl {
 public:
  RidgeLoss(MatrixView predictions, std::span<const double> targets, double penalty)
      : gram_(predictions.columns), penalty_(penalty), share_(1 / static_cast<double>(predictions.columns)) {
    const auto n = static_cast<double>(predictions.rows());
    for (std::size_t i = 0; i < predictions.rows(); ++i) {
      for (std::size_t a = 0; a < gram_.n; ++a) {
        for (std::size_t b = 0; b < gram_.n; ++b) {
          gram_.row(a)[b] += (predictions.at(i, a) - targets[i]) * (predictions.at(i, b) - targets[i]) / n;
        }
      }
    }
  }
  std::size_t parameters() const override { return gram_.n; }
  double value(std::span<const double> w) const override {
    double sum = 0;
    for (std::size_t a = 0; a < w.size(); ++a) {
      for (std::size_t b = 0; b < w.size(); ++b) sum += w[a] * gram_.row(a)[b] * w[b];
      sum += penalty_ * (w[a] - share_) * (w[a] - share_);
    }
    return sum;
  }
  void bend(std::span<const double> w, std::vector<double>& slope, SymmetricMatrix& curve) const override {
    for (std::size_t a = 0; a < w.size(); ++a) {
      slope[a] += 2 * penalty_ * (w[a] - share_);
      for (std::size_t b = 0; b < w.size(); ++b) slope[a] += 2 * gram_.row(a)[b] * w[b];
      for (std::size_t b = 0; b <= a; ++b) curve.row(a)[b] += 2 * gram_.row(a)[b];
      curve.row(a)[a] += 2 * penalty_;
    }
  }

 private:
  SymmetricMatrix gram_;
  double penalty_, share_;
};

double mse(MatrixView predictions, std::span<const double> targets, std::span<const double> w) {
  double sum = 0;
  for (std::size_t i = 0; i < predictions.rows(); ++i) {
    double off = 0;
    for (std::size_t m = 0; m < w.size(); ++m) off += w[m] * (predictions.at(i, m) - targets[i]);
    sum += off * off;
  }
  return sum / static_cast<double>(predictions.rows());
}

}  // namespace

Result<SimplexRidge> fit_simplex_ridge(MatrixView predictions, std::span<const double> targets,
                                       double penalty) {
  CONSORT_CHECK_OK(check_matrix(predictions, "predictions"));
  CONSORT_CHECK_OK(check_same_size(predictions.rows(), targets.size(), "predictions and targets"));
  CONSORT_CHECK_OK(check_finite(targets, "targets"));
  if (!(penalty >= 0) || !std::isfinite(penalty)) {
    return fail(ErrorKind::kInvalid, "the penalty must be at least 0 and finite");
  }
  constexpr int kMostIterations = 50;
  constexpr double kPrecision = 1e-12;  // of the duality gap, relative to the loss at equal weights
  const std::vector<double> equal(predictions.columns, 1 / static_cast<double>(predictions.columns));
  const RidgeLoss loss(predictions, targets, penalty);
  SimplexEnd end = simplex_minimum(loss, equal, kMostIterations, kPrecision * loss.value(equal));
  SimplexRidge made;
  made.weights = std::move(end.weights);
  made.iterations = end.iterations;
  made.converged = end.converged;
  made.mse = mse(predictions, targets, made.weights);
  made.mse_uniform = mse(predictions, targets, equal);
  return made;
}

}  // namespace consort::fitting
