// Penalised logistic regression: Newton's method whose steps are found by conjugate gradients (Lin, Weng,
// Keerthi 2008, "Trust Region Newton Method for Large-Scale Logistic Regression", section 2: products with
// the Hessian instead of the matrix). The preconditioner is the Hessian of a constant curvature, which needs
// one Cholesky factor a penalty: the Gram matrix is shared.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/probe/solvers.h"

namespace consort {
namespace {

constexpr int kMostSteps = 25, kMostHalvings = 12, kMostProducts = 60;
constexpr double kStepAccuracy = 1e-3;  // of the gradient that a step leaves over
constexpr double kFallsNoMore = 1e-6;   // of the objective

// Weights and, last, the bias, which carries no penalty.
using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double row_dot(const double* x, const double* w, std::size_t d) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  std::size_t k = 0;
  for (; k + 4 <= d; k += 4) {
    s0 += x[k] * w[k];
    s1 += x[k + 1] * w[k + 1];
    s2 += x[k + 2] * w[k + 2];
    s3 += x[k + 3] * w[k + 3];
  }
  for (; k < d; ++k) s0 += x[k] * w[k];
  return (s0 + s1) + (s2 + s3);
}

class Fit {
 public:
  Fit(const TrainingSet& set, const Vector& y, double ridge, double curvature)
      : set_(set), y_(y), ridge_(ridge), d_(set.dimension()), curvature_(curvature) {
    SymmetricMatrix matrix = set.gram();
    for (double& v : matrix.values) v *= curvature;
    factored_ = inverse_.factor(with_penalty(matrix, ridge));
  }

  // Newton with halved steps until the objective falls by less than a millionth.
  void improve(Vector& at) {
    if (!factored_) return;  // no digits left: what was found at a stronger penalty stands
    double value = objective(at);
    for (int i = 0; i < kMostSteps; ++i) {
      const Vector step = newton_step(at);
      double length = 1, reached = value;
      Vector next = at;
      for (int halving = 0; halving < kMostHalvings; ++halving, length /= 2) {
        for (std::size_t c = 0; c <= d_; ++c) next[c] = at[c] + length * step[c];
        reached = objective(next);
        if (reached < value) break;
      }
      if (!(reached < value)) return;
      at = std::move(next);
      if (value - reached < kFallsNoMore * std::abs(reached)) return;
      value = reached;
    }
  }

 private:
  const double* x(std::size_t i) const { return set_.x().data() + i * d_; }
  double score(const Vector& at, std::size_t i) const { return row_dot(x(i), at.data(), d_) + at[d_]; }

  double objective(const Vector& at) const {
    double total = 0;
    for (std::size_t i = 0; i < set_.size(); ++i) {
      const double s = score(at, i);
      total += std::log1p(std::exp(-std::abs(s))) + std::max(s, 0.0) - y_[i] * s;
    }
    for (std::size_t c = 0; c < d_; ++c) total += 0.5 * ridge_ * at[c] * at[c];
    return total;
  }

  // Fills the curvatures p (1 - p); returns minus the gradient.
  Vector descent(const Vector& at) {
    Vector out(d_ + 1, 0.0);
    curvatures_.resize(set_.size());
    for (std::size_t i = 0; i < set_.size(); ++i) {
      const double p = 1.0 / (1.0 + std::exp(-score(at, i)));
      curvatures_[i] = std::max(p * (1 - p), 1e-10);
      const double residual = y_[i] - p;
      for (std::size_t c = 0; c < d_; ++c) out[c] += residual * x(i)[c];
      out[d_] += residual;
    }
    for (std::size_t c = 0; c < d_; ++c) out[c] -= ridge_ * at[c];
    return out;
  }

  Vector hessian_times(const Vector& v) const {
    Vector out(d_ + 1, 0.0);
    for (std::size_t i = 0; i < set_.size(); ++i) {
      const double weight = curvatures_[i] * score(v, i);
      const double* row = x(i);
      for (std::size_t c = 0; c < d_; ++c) out[c] += weight * row[c];
      out[d_] += weight;
    }
    for (std::size_t c = 0; c < d_; ++c) out[c] += ridge_ * v[c];
    return out;
  }

  // The columns have mean 0, so that weights and bias do not meet at a constant curvature.
  Vector preconditioned(Vector r) const {
    inverse_.solve(std::span(r).first(d_));
    r[d_] /= curvature_ * static_cast<double>(set_.size());
    return r;
  }

  Vector newton_step(const Vector& at) {
    Vector residual = descent(at), step(d_ + 1, 0.0);
    Vector direction = preconditioned(residual);
    double size = dot(residual, direction);
    const double enough = kStepAccuracy * kStepAccuracy * size;
    for (int i = 0; i < kMostProducts && size > enough; ++i) {
      const Vector product = hessian_times(direction);
      const double bend = dot(direction, product);
      if (!(bend > 0)) break;
      const double length = size / bend;
      for (std::size_t c = 0; c <= d_; ++c) {
        step[c] += length * direction[c];
        residual[c] -= length * product[c];
      }
      const Vector next = preconditioned(residual);
      const double next_size = dot(residual, next);
      for (std::size_t c = 0; c <= d_; ++c) direction[c] = next[c] + next_size / size * direction[c];
      size = next_size;
    }
    return step;
  }

  const TrainingSet& set_;
  const Vector& y_;
  const double ridge_;
  const std::size_t d_;
  const double curvature_;
  bool factored_ = false;
  Cholesky inverse_;
  Vector curvatures_;
};

}  // namespace

// From the strongest penalty down, each starting where the one before ended.
std::vector<LinearRow> fit_logistic(const TrainingSet& set, const std::vector<double>& y,
                                    std::span<const double> penalties) {
  std::vector<std::size_t> order(penalties.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return penalties[a] > penalties[b]; });
  const double n = static_cast<double>(set.size());
  const double share = std::clamp(std::accumulate(y.begin(), y.end(), 0.0) / n, 0.5 / n, 1 - 0.5 / n);
  Vector at(set.dimension() + 1, 0.0);
  at.back() = std::log(share / (1 - share));
  std::vector<LinearRow> rows(penalties.size());
  for (const std::size_t p : order) {
    Fit(set, y, penalties[p] * n, share * (1 - share)).improve(at);
    rows[p] = set.in_own_units(std::span(at).first(set.dimension()), at.back());
  }
  return rows;
}

}  // namespace consort
