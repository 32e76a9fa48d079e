#include "agents/ensemble/fitting/simplex_ridge.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "agents/ensemble/fitting/checks.h"

namespace consort::fitting {
namespace {

// mean (y - w.f)^2 + penalty |w - 1/M|^2 as w' A w - 2 b.w + c.
struct Quadratic {
  Matrix a;
  std::vector<double> b;
  double c = 0;

  double value(std::span<const double> w) const {
    double sum = c;
    for (std::size_t m = 0; m < w.size(); ++m) {
      double row = -2 * b[m];
      for (std::size_t k = 0; k < w.size(); ++k) row += a.at(m, k) * w[k];
      sum += w[m] * row;
    }
    return sum;
  }
  std::vector<double> slope(std::span<const double> w) const {
    std::vector<double> g(w.size());
    for (std::size_t m = 0; m < w.size(); ++m) {
      g[m] = -2 * b[m];
      for (std::size_t k = 0; k < w.size(); ++k) g[m] += 2 * a.at(m, k) * w[k];
    }
    return g;
  }
  // Largest row sum of |A| bounds its largest eigenvalue, so 1 / (2 bound) is a safe step.
  double bound() const {
    double most = 0;
    for (std::size_t m = 0; m < b.size(); ++m) {
      double row = 0;
      for (std::size_t k = 0; k < b.size(); ++k) row += std::abs(a.at(m, k));
      most = std::max(most, row);
    }
    return most;
  }
};

// Offsets from the target, f - y: on the simplex the loss is |sum w (f - y)|^2, which loses no digits when
// targets are far from 0.
Quadratic quadratic_of(MatrixView predictions, std::span<const double> targets, double penalty) {
  const std::size_t members = predictions.columns;
  const auto n = static_cast<double>(predictions.rows());
  const double share = 1 / static_cast<double>(members);
  Quadratic made{Matrix(members, members), std::vector<double>(members, penalty * share), penalty * share};
  for (std::size_t i = 0; i < predictions.rows(); ++i) {
    for (std::size_t m = 0; m < members; ++m) {
      for (std::size_t k = 0; k < members; ++k) {
        made.a.at(m, k) += (predictions.at(i, m) - targets[i]) * (predictions.at(i, k) - targets[i]) / n;
      }
    }
  }
  for (std::size_t m = 0; m < members; ++m) made.a.at(m, m) += penalty;
  return made;
}

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

std::vector<double> project_to_simplex(std::span<const double> point) {
  std::vector<double> sorted(point.begin(), point.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0, shift = 0;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    sum += sorted[k];
    const double candidate = (sum - 1) / static_cast<double>(k + 1);
    if (sorted[k] - candidate > 0) shift = candidate;
  }
  std::vector<double> out;
  for (const double v : point) out.push_back(std::max(0.0, v - shift));
  return out;
}

Result<SimplexRidge> fit_simplex_ridge(MatrixView predictions, std::span<const double> targets,
                                       double penalty) {
  CONSORT_CHECK_OK(check_matrix(predictions, "predictions"));
  CONSORT_CHECK_OK(check_same_size(predictions.rows(), targets.size(), "predictions and targets"));
  CONSORT_CHECK_OK(check_finite(targets, "targets"));
  if (!(penalty >= 0) || !std::isfinite(penalty)) {
    return fail(ErrorKind::kInvalid, "the penalty must be at least 0 and finite");
  }
  const std::size_t members = predictions.columns;
  const Quadratic loss = quadratic_of(predictions, targets, penalty);
  constexpr int kMostIterations = 20000;
  constexpr double kPrecision = 1e-12;  // of the duality gap, relative to the loss at equal weights
  const std::vector<double> equal(members, 1 / static_cast<double>(members));
  const double step = 1 / std::max(2 * loss.bound(), 1e-300),
               wanted = kPrecision * (loss.value(equal) + 1e-300);
  SimplexRidge made;
  std::vector<double> w = equal, ahead = equal;
  double momentum = 1;
  for (; made.iterations < kMostIterations && !made.converged; ++made.iterations) {
    std::vector<double> moved = ahead;
    const std::vector<double> g = loss.slope(ahead);
    for (std::size_t m = 0; m < members; ++m) moved[m] -= step * g[m];
    std::vector<double> next = project_to_simplex(moved);
    // Momentum that points uphill is dropped (O'Donoghue and Candes 2015).
    double uphill = 0;
    for (std::size_t m = 0; m < members; ++m) uphill += (ahead[m] - next[m]) * (next[m] - w[m]);
    const double grown = uphill > 0 ? 1 : (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
    for (std::size_t m = 0; m < members; ++m) {
      ahead[m] = uphill > 0 ? next[m] : next[m] + (momentum - 1) / grown * (next[m] - w[m]);
    }
    momentum = grown;
    w = std::move(next);
    const std::vector<double> slope = loss.slope(w);
    double gap = 0;
    for (std::size_t m = 0; m < members; ++m) gap += slope[m] * w[m];
    made.converged = gap - *std::min_element(slope.begin(), slope.end()) <= wanted;
  }
  made.mse = mse(predictions, targets, w);
  made.mse_uniform = mse(predictions, targets, equal);
  made.weights = std::move(w);
  return made;
}

}  // namespace consort::fitting
