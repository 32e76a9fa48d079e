// Weights of the linear pool: EM, and Newton's method for what EM leaves.
#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/pool_weights.h"
#include "agents/ensemble/fitting/simplex_newton.h"

namespace consort::fitting {
namespace {

constexpr int kEmSteps = 50;

// Mean -ln sum_m w_m p_m over items whose likelihoods are scaled so that the largest is 1.
class MixtureLoss : public Bowl {
 public:
  explicit MixtureLoss(const Matrix& p) : p_(p), n_(static_cast<double>(p.rows())) {}

  std::size_t parameters() const override { return p_.columns; }
  double value(std::span<const double> w) const override {
    double sum = 0;
    for (std::size_t i = 0; i < p_.rows(); ++i) sum -= std::log(total(i, w));
    return sum / n_;
  }
  void bend(std::span<const double> w, std::vector<double>& slope, SymmetricMatrix& curve) const override {
    for (std::size_t i = 0; i < p_.rows(); ++i) {
      const double all = total(i, w);
      for (std::size_t a = 0; a < w.size(); ++a) {
        const double own = p_.at(i, a) / all;
        slope[a] -= own / n_;
        for (std::size_t b = 0; b <= a; ++b) curve.row(a)[b] += own * p_.at(i, b) / all / n_;
      }
    }
  }
  // w_m <- mean_i w_m p_m / sum_k w_k p_k
  std::vector<double> em_step(std::span<const double> w) const {
    std::vector<double> next(w.size(), 0.0);
    for (std::size_t i = 0; i < p_.rows(); ++i) {
      const double all = total(i, w);
      for (std::size_t m = 0; m < w.size(); ++m) next[m] += w[m] * p_.at(i, m) / all / n_;
    }
    return next;
  }

 private:
  double total(std::size_t i, std::span<const double> w) const {
    double sum = 0;
    for (std::size_t m = 0; m < w.size(); ++m) sum += w[m] * p_.at(i, m);
    return sum;
  }
  const Matrix& p_;
  double n_;
};

// Likelihoods of each item over its largest, whose logarithms add up to `log_scale`: only ratios within an
// item matter for weights, and those of long texts would underflow.
Result<Matrix> scaled(MatrixView log_p, double& log_scale) {
  if (log_p.columns == 0 || log_p.values.empty() || log_p.values.size() % log_p.columns != 0) {
    return fail(ErrorKind::kInvalid, "fitting a linear pool needs items with a value for every member");
  }
  Matrix p(log_p.rows(), log_p.columns);
  for (std::size_t i = 0; i < p.rows(); ++i) {
    const auto row = log_p.row(i);
    for (const double lp : row) {
      if (!(lp <= 1e-6)) return fail(ErrorKind::kInvalid, "ln p of an item must be at most 0");
    }
    const double top = *std::max_element(row.begin(), row.end());
    if (!std::isfinite(top)) {
      return fail(ErrorKind::kInvalid, "every member gives item " + std::to_string(i) + " probability 0", "",
                  "give members a floor");
    }
    for (std::size_t m = 0; m < p.columns; ++m) p.at(i, m) = std::exp(row[m] - top);
    log_scale += top;
  }
  return p;
}

}  // namespace

Result<PoolWeights> fit_linear_pool(MatrixView log_p_truth, const PoolWeightOptions& options) {
  double log_scale = 0;
  CONSORT_TRY(p, scaled(log_p_truth, log_scale));
  const MixtureLoss loss(p);
  const double shift = -log_scale / static_cast<double>(p.rows());
  std::vector<double> w(p.columns, 1.0 / static_cast<double>(p.columns));
  PoolWeights made;
  made.nll_uniform = loss.value(w) + shift;
  const int em_steps = std::min(options.max_iterations, kEmSteps);
  for (int step = 0; step < em_steps; ++step) w = loss.em_step(w);
  SimplexEnd end = simplex_minimum(loss, std::move(w), options.max_iterations - em_steps, options.tolerance);
  made.weights = std::move(end.weights);
  made.nll = end.value + shift;
  made.iterations = em_steps + end.iterations;
  made.converged = end.converged;
  return made;
}

}  // namespace consort::fitting
