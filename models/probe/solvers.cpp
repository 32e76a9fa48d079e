#include "models/probe/solvers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace consort {
namespace {

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

}  // namespace

SymmetricMatrix with_penalty(const SymmetricMatrix& gram, double penalty) {
  SymmetricMatrix matrix = gram;
  for (std::size_t i = 0; i < matrix.n; ++i) matrix.row(i)[i] += penalty;
  return matrix;
}

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
