#include "agents/ensemble/fitting/newton.h"

#include <algorithm>
#include <cmath>

namespace consort::fitting {

NewtonEnd newton_minimum(const Bowl& bowl) {
  constexpr int kMostIterations = 100;
  constexpr double kPrecision = 1e-12, kLeastStep = 1e-10;
  const std::size_t n = bowl.parameters();
  NewtonEnd end;
  end.point.assign(n, 0.0);
  double here = bowl.value(end.point);
  while (end.iterations < kMostIterations) {
    std::vector<double> slope(n, 0.0);
    SymmetricMatrix curve(n);
    bowl.bend(end.point, slope, curve);
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < a; ++b) curve.row(b)[a] = curve.row(a)[b];
    }
    // A bias far out has next to no curvature; the smallest ridge keeps the system solvable.
    double ridge = 0;
    Cholesky factors;
    while (!factors.factor(curve) && ridge < 1) {
      ridge = ridge == 0 ? 1e-12 : ridge * 100;
      for (std::size_t a = 0; a < n; ++a) curve.row(a)[a] += ridge;
    }
    std::vector<double> direction = slope;
    factors.solve(direction);
    double decrement = 0;
    for (std::size_t a = 0; a < n; ++a) decrement += slope[a] * direction[a];
    end.converged = decrement <= kPrecision * (1 + std::abs(here));
    if (end.converged) break;
    std::vector<double> next(n);
    double step = 1, there = 0;
    for (;; step /= 2) {
      for (std::size_t a = 0; a < n; ++a) next[a] = end.point[a] - step * direction[a];
      there = bowl.value(next);
      if (there <= here - 1e-4 * step * decrement || step < kLeastStep) break;
    }
    if (step < kLeastStep) break;
    end.point = std::move(next);
    here = there;
    ++end.iterations;
  }
  return end;
}

Columns::Columns(MatrixView values) : means(values.columns, 0.0), inverse_deviations(values.columns, 0.0) {
  const auto n = static_cast<double>(values.rows());
  for (std::size_t c = 0; c < values.columns; ++c) {
    double largest = 0;
    for (std::size_t r = 0; r < values.rows(); ++r) {
      means[c] += values.at(r, c) / n;
      largest = std::max(largest, std::abs(values.at(r, c)));
    }
    double variance = 0;
    for (std::size_t r = 0; r < values.rows(); ++r) {
      const double off = values.at(r, c) - means[c];
      variance += off * off / n;
    }
    // Rounding of a constant column is no deviation.
    if (std::sqrt(variance) > 1e-12 * largest) inverse_deviations[c] = 1 / std::sqrt(variance);
  }
}

Matrix Columns::standardised(MatrixView values) const {
  Matrix out(values.rows(), values.columns);
  for (std::size_t r = 0; r < values.rows(); ++r) {
    for (std::size_t c = 0; c < values.columns; ++c) {
      out.at(r, c) = (values.at(r, c) - means[c]) * inverse_deviations[c];
    }
  }
  return out;
}

Status check_penalty(double penalty) {
  if (penalty > 0 && std::isfinite(penalty)) return {};
  return fail(ErrorKind::kInvalid, "the penalty must be above 0 and finite");
}

}  // namespace consort::fitting
