#include "models/probe/solvers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace consort {
namespace {

SymmetricMatrix with_penalty(const SymmetricMatrix& gram, double penalty) {
  SymmetricMatrix matrix = gram;
  for (std::size_t i = 0; i < matrix.n; ++i) matrix.row(i)[i] += penalty;
  return matrix;
}

// w = (X^T X + n penalty I)^-1 X^T (y - mean): columns have mean 0, so the bias is the targets' mean.
std::vector<LinearRow> fit_ridge(const TrainingSet& set, const std::vector<double>& y,
                                 std::span<const double> penalties) {
  const std::size_t n = set.size(), d = set.dimension();
  const double mean = std::accumulate(y.begin(), y.end(), 0.0) / static_cast<double>(n);
  std::vector<double> moments(d, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t c = 0; c < d; ++c) moments[c] += set.x()[i * d + c] * (y[i] - mean);
  std::vector<LinearRow> rows;
  for (const double penalty : penalties) {
    std::vector<double> weights = moments;
    Cholesky cholesky;
    if (cholesky.factor(with_penalty(set.gram(), penalty * static_cast<double>(n))))
      cholesky.solve(weights);
    else
      std::fill(weights.begin(), weights.end(), 0.0);  // no digits left: the mean is the answer
    rows.push_back(set.in_own_units(weights, mean));
  }
  return rows;
}

struct Logistic {
  std::vector<double> weights;
  double bias = 0;
};

std::vector<double> scores_of(const TrainingSet& set, const Logistic& at) {
  const std::size_t d = set.dimension();
  std::vector<double> scores(set.size(), at.bias);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double* x = set.x().data() + i * d;
    double a = 0, b = 0, c = 0, e = 0;
    std::size_t k = 0;
    for (; k + 4 <= d; k += 4) {
      a += x[k] * at.weights[k];
      b += x[k + 1] * at.weights[k + 1];
      c += x[k + 2] * at.weights[k + 2];
      e += x[k + 3] * at.weights[k + 3];
    }
    for (; k < d; ++k) a += x[k] * at.weights[k];
    scores[i] += (a + b) + (c + e);
  }
  return scores;
}

double objective(const TrainingSet& set, const Logistic& at, const std::vector<double>& y, double ridge) {
  const std::vector<double> scores = scores_of(set, at);
  double total = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    total += std::log1p(std::exp(-std::abs(scores[i]))) + std::max(scores[i], 0.0) - y[i] * scores[i];
  for (const double w : at.weights) total += 0.5 * ridge * w * w;
  return total;
}

// One Newton step with the Hessian at `at`; the bias is the last unknown and carries no penalty. false: the
// Hessian could not be factored.
bool newton_step(const TrainingSet& set, const std::vector<double>& y, double ridge, const Logistic& at,
                 Logistic& step) {
  const std::size_t n = set.size(), d = set.dimension();
  const std::vector<double> scores = scores_of(set, at);
  std::vector<double> curvature(n), gradient(d + 1, 0.0), cross(d, 0.0);
  double total_curvature = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double p = 1.0 / (1.0 + std::exp(-scores[i]));
    curvature[i] = std::max(p * (1 - p), 1e-10);
    total_curvature += curvature[i];
    gradient[d] += y[i] - p;
    const double* x = set.x().data() + i * d;
    for (std::size_t c = 0; c < d; ++c) {
      gradient[c] += (y[i] - p) * x[c];
      cross[c] += curvature[i] * x[c];
    }
  }
  SymmetricMatrix inner(d);
  add_gram(inner, set.x(), curvature);
  SymmetricMatrix hessian(d + 1);
  for (std::size_t r = 0; r < d; ++r) {
    std::copy(inner.row(r), inner.row(r) + d, hessian.row(r));
    hessian.row(r)[r] += ridge;
    hessian.row(r)[d] = hessian.row(d)[r] = cross[r];
    gradient[r] -= ridge * at.weights[r];
  }
  hessian.row(d)[d] = total_curvature;
  Cholesky cholesky;
  if (!cholesky.factor(std::move(hessian))) return false;
  cholesky.solve(gradient);
  step.bias = gradient[d];
  gradient.pop_back();
  step.weights = std::move(gradient);
  return true;
}

// Newton with halved steps until the objective falls by less than a millionth.
void newton(const TrainingSet& set, const std::vector<double>& y, double ridge, Logistic& at) {
  constexpr int kMostSteps = 25, kMostHalvings = 12;
  double value = objective(set, at, y, ridge);
  for (int i = 0; i < kMostSteps; ++i) {
    Logistic step;
    if (!newton_step(set, y, ridge, at, step)) return;
    double length = 1, reached = value;
    Logistic next = at;
    for (int halving = 0; halving < kMostHalvings; ++halving, length /= 2) {
      for (std::size_t c = 0; c < next.weights.size(); ++c)
        next.weights[c] = at.weights[c] + length * step.weights[c];
      next.bias = at.bias + length * step.bias;
      reached = objective(set, next, y, ridge);
      if (reached < value) break;
    }
    if (!(reached < value)) return;
    at = std::move(next);
    if (value - reached < 1e-6 * std::abs(reached)) return;
    value = reached;
  }
}

// From the strongest penalty down, each starting where the one before ended.
std::vector<LinearRow> fit_logistic(const TrainingSet& set, const std::vector<double>& y,
                                    std::span<const double> penalties) {
  std::vector<std::size_t> order(penalties.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return penalties[a] > penalties[b]; });
  const double n = static_cast<double>(set.size());
  const double share = std::clamp(std::accumulate(y.begin(), y.end(), 0.0) / n, 0.5 / n, 1 - 0.5 / n);
  Logistic at{std::vector<double>(set.dimension(), 0.0), std::log(share / (1 - share))};
  std::vector<LinearRow> rows(penalties.size());
  for (const std::size_t p : order) {
    newton(set, y, penalties[p] * n, at);
    rows[p] = set.in_own_units(at.weights, at.bias);
  }
  return rows;
}

}  // namespace

TrainingSet::TrainingSet(const ProbeData& data, std::span<const std::size_t> examples)
    : examples_(examples.begin(), examples.end()),
      x_(examples.size() * data.dimension),
      means_(data.dimension, 0.0),
      inverse_deviations_(data.dimension, 0.0),
      gram_(data.dimension) {
  const std::size_t d = data.dimension;
  const double n = static_cast<double>(size());
  for (std::size_t i = 0; i < size(); ++i)
    for (std::size_t c = 0; c < d; ++c) means_[c] += data.embeddings[examples_[i] * d + c] / n;
  std::vector<double> variances(d, 0.0);
  for (std::size_t i = 0; i < size(); ++i)
    for (std::size_t c = 0; c < d; ++c) {
      x_[i * d + c] = data.embeddings[examples_[i] * d + c] - means_[c];
      variances[c] += x_[i * d + c] * x_[i * d + c] / n;
    }
  for (std::size_t c = 0; c < d; ++c)
    if (variances[c] > 1e-12 * (1e-12 + means_[c] * means_[c]))
      inverse_deviations_[c] = 1 / std::sqrt(variances[c]);
  for (std::size_t i = 0; i < size(); ++i)
    for (std::size_t c = 0; c < d; ++c) x_[i * d + c] *= inverse_deviations_[c];
  add_gram(gram_, x_);
}

LinearRow TrainingSet::in_own_units(std::span<const double> weights, double bias) const {
  LinearRow row{{weights.begin(), weights.end()}, bias};
  for (std::size_t c = 0; c < row.weights.size(); ++c) {
    row.weights[c] *= inverse_deviations_[c];
    row.bias -= row.weights[c] * means_[c];
  }
  return row;
}

std::vector<LinearRow> fit_row(const TrainingSet& set, const std::vector<double>& targets, ProbeKind kind,
                               std::span<const double> penalties) {
  std::vector<double> y(set.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = targets[set.example(i)];
  return kind == ProbeKind::kRidge ? fit_ridge(set, y, penalties) : fit_logistic(set, y, penalties);
}

}  // namespace consort
