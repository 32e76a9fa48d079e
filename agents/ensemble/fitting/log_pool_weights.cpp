// Weights of the log pool.
#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/pool_checks.h"
#include "agents/ensemble/fitting/pool_weights.h"
#include "agents/ensemble/fitting/simplex_newton.h"

namespace consort::fitting {
namespace {

// Mean of ln Z - sum_m w_m l_m(y), l_m = ln p_m: slope E[l] - l(y), curvature Cov(l) under the pool.
class LogPoolLoss : public Bowl {
 public:
  LogPoolLoss(std::span<const MatrixView> members, std::span<const std::int32_t> truth)
      : members_(members), truth_(truth), n_(static_cast<double>(truth.size())) {}

  std::size_t parameters() const override { return members_.size(); }
  double value(std::span<const double> w) const override {
    double sum = 0;
    std::vector<double> p;
    for (std::size_t i = 0; i < truth_.size(); ++i) sum += pooled(i, w, p);
    return sum / n_;
  }
  void bend(std::span<const double> w, std::vector<double>& slope, SymmetricMatrix& curve) const override {
    std::vector<double> p, mean(w.size());
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      pooled(i, w, p);
      for (std::size_t a = 0; a < w.size(); ++a) {
        const auto row = members_[a].row(i);
        mean[a] = 0;
        for (std::size_t c = 0; c < p.size(); ++c) mean[a] += p[c] * row[c];
        slope[a] += (mean[a] - row[static_cast<std::size_t>(truth_[i])]) / n_;
      }
      for (std::size_t a = 0; a < w.size(); ++a) {
        const auto row_a = members_[a].row(i);
        for (std::size_t b = 0; b <= a; ++b) {
          const auto row_b = members_[b].row(i);
          double sum = 0;
          for (std::size_t c = 0; c < p.size(); ++c)
            sum += p[c] * (row_a[c] - mean[a]) * (row_b[c] - mean[b]);
          curve.row(a)[b] += sum / n_;
        }
      }
    }
  }

 private:
  // The pool's distribution over the classes of an item into p; returns -ln of the truth's.
  double pooled(std::size_t i, std::span<const double> w, std::vector<double>& p) const {
    p.assign(members_[0].columns, 0.0);
    for (std::size_t m = 0; m < w.size(); ++m) {
      const auto row = members_[m].row(i);
      for (std::size_t c = 0; c < p.size(); ++c) p[c] += w[m] * row[c];
    }
    const double top = *std::max_element(p.begin(), p.end()), right = p[static_cast<std::size_t>(truth_[i])];
    double total = 0;
    for (double& v : p) total += (v = std::exp(v - top));
    for (double& v : p) v /= total;
    return top + std::log(total) - right;
  }
  std::span<const MatrixView> members_;
  std::span<const std::int32_t> truth_;
  double n_;
};

}  // namespace

Result<PoolWeights> fit_log_pool(std::span<const MatrixView> members, std::span<const std::int32_t> truth,
                                 const PoolWeightOptions& options) {
  CONSORT_CHECK_OK(check_pool_members(members));
  for (const MatrixView& member : members)
    CONSORT_CHECK_OK(check_finite(member.values, "ln p of a log pool"));
  CONSORT_CHECK_OK(check_labels(truth, members[0].rows(), members[0].columns));
  const LogPoolLoss loss(members, truth);
  std::vector<double> equal(members.size(), 1.0 / static_cast<double>(members.size()));
  PoolWeights made;
  made.nll_uniform = loss.value(equal);
  SimplexEnd end = simplex_minimum(loss, std::move(equal), options.max_iterations, options.tolerance);
  made.weights = std::move(end.weights);
  made.nll = end.value;
  made.iterations = end.iterations;
  made.converged = end.converged;
  return made;
}

}  // namespace consort::fitting
