#include "agents/ensemble/fitting/vector_scaling.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/newton.h"

namespace consort::fitting {
namespace {

// Parameters: factor - 1 of every class, then the offsets, so that the origin is "leave it".
class ScalingLoss : public Bowl {
 public:
  ScalingLoss(MatrixView logits, std::span<const std::int32_t> truth, double penalty)
      : logits_(logits), truth_(truth), penalty_(penalty) {}

  std::size_t parameters() const override { return 2 * logits_.columns; }
  double value(std::span<const double> w) const override {
    double sum = nll(w);
    for (const double v : w) sum += penalty_ / 2 * v * v;
    return sum;
  }
  double nll(std::span<const double> w) const {
    double sum = 0;
    std::vector<double> p;
    for (std::size_t i = 0; i < truth_.size(); ++i) sum += softmax(i, w, p);
    return sum;
  }
  void bend(std::span<const double> w, std::vector<double>& slope, SymmetricMatrix& curve) const override {
    const std::size_t classes = logits_.columns;
    std::vector<double> p;
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      softmax(i, w, p);
      const auto row = logits_.row(i);
      for (std::size_t a = 0; a < classes; ++a) {
        const double off = p[a] - (static_cast<std::size_t>(truth_[i]) == a ? 1.0 : 0.0);
        slope[a] += off * row[a];
        slope[classes + a] += off;
        for (std::size_t b = 0; b < classes; ++b) {
          const double bent = (a == b ? p[a] : 0.0) - p[a] * p[b];
          if (b <= a) curve.row(a)[b] += bent * row[a] * row[b];
          curve.row(classes + a)[b] += bent * row[b];
          if (b <= a) curve.row(classes + a)[classes + b] += bent;
        }
      }
    }
    for (std::size_t j = 0; j < w.size(); ++j) {
      slope[j] += penalty_ * w[j];
      curve.row(j)[j] += penalty_;
    }
  }

 private:
  // The distribution of an item into p; returns -ln of the truth's.
  double softmax(std::size_t i, std::span<const double> w, std::vector<double>& p) const {
    const auto row = logits_.row(i);
    p.resize(row.size());
    for (std::size_t k = 0; k < p.size(); ++k) p[k] = (1 + w[k]) * row[k] + w[row.size() + k];
    const double top = *std::max_element(p.begin(), p.end()), right = p[static_cast<std::size_t>(truth_[i])];
    double total = 0;
    for (double& v : p) total += (v = std::exp(v - top));
    for (double& v : p) v /= total;
    return top + std::log(total) - right;
  }
  MatrixView logits_;
  std::span<const std::int32_t> truth_;
  double penalty_;
};

}  // namespace

Result<Matrix> VectorScaling::apply(MatrixView logits) const {
  CONSORT_CHECK_OK(check_matrix(logits, "logits"));
  CONSORT_CHECK_OK(check_same_size(logits.columns, factor.size(), "classes and factors"));
  Matrix out(logits.rows(), logits.columns);
  for (std::size_t i = 0; i < out.rows(); ++i) {
    const auto row = out.row(i);
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = factor[k] * logits.at(i, k) + offset[k];
    const double top = *std::max_element(row.begin(), row.end());
    double total = 0;
    for (const double v : row) total += std::exp(v - top);
    for (double& v : row) v -= top + std::log(total);
  }
  return out;
}

Result<VectorScaling> fit_vector_scaling(MatrixView logits, std::span<const std::int32_t> truth,
                                         double penalty) {
  CONSORT_CHECK_OK(check_matrix(logits, "logits"));
  CONSORT_CHECK_OK(check_labels(truth, logits.rows(), logits.columns));
  CONSORT_CHECK_OK(check_penalty(penalty));
  const ScalingLoss loss(logits, truth, penalty);
  const NewtonEnd end = newton_minimum(loss);
  const auto n = static_cast<double>(truth.size());
  VectorScaling made;
  made.iterations = end.iterations;
  made.converged = end.converged;
  made.nll_before = loss.nll(std::vector<double>(loss.parameters(), 0.0)) / n;
  made.nll_after = loss.nll(end.point) / n;
  for (std::size_t k = 0; k < logits.columns; ++k) {
    made.factor.push_back(1 + end.point[k]);
    made.offset.push_back(end.point[logits.columns + k]);
  }
  return made;
}

}  // namespace consort::fitting
