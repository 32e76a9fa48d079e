#include "agents/ensemble/fitting/pool_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/numbers.h"
#include "agents/ensemble/pools.h"

namespace consort::fitting {
namespace {

Status check_members(std::span<const MatrixView> members) {
  if (members.empty()) return fail(ErrorKind::kInvalid, "a pool needs members");
  for (const MatrixView& member : members) {
    CONSORT_CHECK_OK(check_log_distributions(member, "a member's ln p"));
    if (member.columns != members[0].columns || member.values.size() != members[0].values.size()) {
      return fail(ErrorKind::kInvalid, "members of a pool need the same items and classes");
    }
  }
  return {};
}

Result<Matrix> pool_items(ensemble::PoolKind kind, std::span<const MatrixView> members,
                          std::span<const double> given, std::vector<double>* log_partitions = nullptr) {
  CONSORT_CHECK_OK(check_members(members));
  CONSORT_TRY(weights, normalised(given, members.size()));
  Matrix out(members[0].rows(), members[0].columns);
  std::vector<std::vector<double>> rows(members.size());
  for (std::size_t i = 0; i < out.rows(); ++i) {
    for (std::size_t m = 0; m < members.size(); ++m) {
      const auto row = members[m].row(i);
      rows[m].assign(row.begin(), row.end());
    }
    double log_partition = 0;
    const std::vector<double> pool = ensemble::pooled(kind, rows, weights, &log_partition);
    if (!std::isfinite(log_partition)) {
      return fail(ErrorKind::kInvalid,
                  "members rule out every class of item " + std::to_string(i) + " together", "",
                  "give members a floor before a log pool");
    }
    if (log_partitions) log_partitions->push_back(log_partition);
    std::copy(pool.begin(), pool.end(), out.row(i).begin());
  }
  return out;
}

Result<PoolGain> pool_gain(ensemble::PoolKind kind, std::span<const MatrixView> members,
                           std::span<const double> given, std::span<const std::int32_t> truth) {
  std::vector<double> log_partitions;
  CONSORT_TRY(pool, pool_items(kind, members, given, &log_partitions));
  CONSORT_CHECK_OK(check_labels(truth, pool.rows(), pool.columns));
  CONSORT_TRY(weights, normalised(given, members.size()));
  const auto n = static_cast<double>(truth.size());
  PoolGain made;
  double log_z = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const auto y = static_cast<std::size_t>(truth[i]);
    made.pool_nll -= pool.at(i, y) / n;
    log_z += log_partitions[i] / n;
    for (std::size_t m = 0; m < members.size(); ++m) {
      if (weights[m] > 0) made.mean_nll -= weights[m] * members[m].at(i, y) / n;
    }
  }
  // The log pool's gain is known without the truth; where a member gave the truth 0, both sides are infinite.
  made.gain = kind == ensemble::PoolKind::kLog ? std::max(0.0, -log_z) : made.mean_nll - made.pool_nll;
  return made;
}

// Loss and slope of the log pool at weights w.
class LogPool {
 public:
  LogPool(std::span<const MatrixView> members, std::span<const std::int32_t> truth)
      : members_(members), truth_(truth), terms_(members[0].columns) {}

  double loss(std::span<const double> w, std::vector<double>* slope) {
    if (slope) slope->assign(w.size(), 0.0);
    double sum = 0;
    for (std::size_t i = 0; i < truth_.size(); ++i) sum += item_loss(i, w, slope);
    const auto n = static_cast<double>(truth_.size());
    if (slope) {
      for (double& g : *slope) g /= n;
    }
    return sum / n;
  }

 private:
  double item_loss(std::size_t i, std::span<const double> w, std::vector<double>* slope) {
    std::fill(terms_.begin(), terms_.end(), 0.0);
    for (std::size_t m = 0; m < w.size(); ++m) {
      const auto row = members_[m].row(i);
      for (std::size_t c = 0; c < terms_.size(); ++c) terms_[c] += w[m] * row[c];
    }
    const auto y = static_cast<std::size_t>(truth_[i]);
    const double top = *std::max_element(terms_.begin(), terms_.end()), right = terms_[y];
    double total = 0;
    for (double& t : terms_) total += (t = std::exp(t - top));
    if (slope) {
      for (std::size_t m = 0; m < w.size(); ++m) {
        const auto row = members_[m].row(i);
        double expected = 0;
        for (std::size_t c = 0; c < terms_.size(); ++c) expected += terms_[c] * row[c];
        (*slope)[m] += expected / total - row[y];
      }
    }
    return top + std::log(total) - right;
  }

  std::span<const MatrixView> members_;
  std::span<const std::int32_t> truth_;
  std::vector<double> terms_;
};

// w_m exp(-step g_m), normalised.
std::vector<double> exponentiated(std::span<const double> w, std::span<const double> slope, double step) {
  const double least = *std::min_element(slope.begin(), slope.end());
  std::vector<double> out(w.size());
  double sum = 0;
  for (std::size_t m = 0; m < w.size(); ++m) sum += (out[m] = w[m] * std::exp(-step * (slope[m] - least)));
  for (double& v : out) v /= sum;
  return out;
}

}  // namespace

Result<PoolWeights> fit_linear_pool(MatrixView log_p_truth, const PoolWeightOptions& options) {
  if (log_p_truth.columns == 0 || log_p_truth.values.empty()) {
    return fail(ErrorKind::kInvalid, "fitting a linear pool needs items and members");
  }
  const std::size_t items = log_p_truth.rows(), members = log_p_truth.columns;
  if (items * members != log_p_truth.values.size()) {
    return fail(ErrorKind::kInvalid, "the values do not fill rows of one a member");
  }
  // Only ratios within an item matter, so each is scaled by its largest: no underflow for long texts.
  Matrix p(items, members);
  std::vector<double> tops(items);
  for (std::size_t i = 0; i < items; ++i) {
    const auto row = log_p_truth.row(i);
    for (const double lp : row) {
      if (!(lp <= 1e-6)) return fail(ErrorKind::kInvalid, "ln p of an item must be at most 0");
    }
    tops[i] = *std::max_element(row.begin(), row.end());
    if (!std::isfinite(tops[i])) {
      return fail(ErrorKind::kInvalid, "every member gives item " + std::to_string(i) + " probability 0", "",
                  "give members a floor");
    }
    for (std::size_t m = 0; m < members; ++m) p.at(i, m) = std::exp(row[m] - tops[i]);
  }
  PoolWeights made;
  made.weights.assign(members, 1.0 / static_cast<double>(members));
  std::vector<double> next(members);
  const auto n = static_cast<double>(items);
  const auto pass = [&] {  // NLL at made.weights, and the next weights
    std::fill(next.begin(), next.end(), 0.0);
    double nll = 0;
    for (std::size_t i = 0; i < items; ++i) {
      double total = 0;
      for (std::size_t m = 0; m < members; ++m) total += made.weights[m] * p.at(i, m);
      for (std::size_t m = 0; m < members; ++m) next[m] += made.weights[m] * p.at(i, m) / total / n;
      nll -= (std::log(total) + tops[i]) / n;
    }
    return nll;
  };
  made.nll_uniform = made.nll = pass();
  while (made.iterations < options.max_iterations && !made.converged) {
    made.weights = next;
    const double nll = pass();
    made.converged = made.nll - nll < options.tolerance;
    made.nll = nll;
    ++made.iterations;
  }
  const double sum = ensemble::ordered_sum(made.weights);
  for (double& w : made.weights) w /= sum;
  return made;
}

Result<PoolWeights> fit_log_pool(std::span<const MatrixView> members, std::span<const std::int32_t> truth,
                                 const PoolWeightOptions& options) {
  CONSORT_CHECK_OK(check_members(members));
  for (const MatrixView& member : members)
    CONSORT_CHECK_OK(check_finite(member.values, "ln p of a log pool"));
  CONSORT_CHECK_OK(check_labels(truth, members[0].rows(), members[0].columns));
  LogPool pool(members, truth);
  PoolWeights made;
  made.weights.assign(members.size(), 1.0 / static_cast<double>(members.size()));
  std::vector<double> slope;
  made.nll_uniform = made.nll = pool.loss(made.weights, &slope);
  double step = 1;
  while (made.iterations < options.max_iterations) {
    double mean_slope = 0;
    for (std::size_t m = 0; m < slope.size(); ++m) mean_slope += made.weights[m] * slope[m];
    made.converged = mean_slope - *std::min_element(slope.begin(), slope.end()) < options.tolerance;
    if (made.converged) break;
    // The step grows while it keeps what a step of its length promises, and halves where it does not.
    for (bool taken = false; !taken && step > 1e-12;) {
      const std::vector<double> next = exponentiated(made.weights, slope, step);
      double promised = 0;
      for (std::size_t m = 0; m < next.size(); ++m) promised += slope[m] * (next[m] - made.weights[m]);
      std::vector<double> next_slope;
      const double loss = pool.loss(next, &next_slope);
      taken = loss <= made.nll + 0.25 * promised + 1e-15 * std::abs(made.nll);
      if (!taken) {
        step /= 2;
        continue;
      }
      made.weights = next;
      made.nll = loss;
      slope = std::move(next_slope);
      step *= 1.5;
    }
    ++made.iterations;
    if (step <= 1e-12) break;
  }
  return made;
}

std::vector<double> shrunk_weights(std::vector<double> weights, std::size_t items) {
  if (items >= kItemsForFullWeights) return weights;
  for (double& w : weights) w = 0.5 * w + 0.5 / static_cast<double>(weights.size());
  return weights;
}

Result<PoolGain> linear_pool_gain(std::span<const MatrixView> members, std::span<const double> weights,
                                  std::span<const std::int32_t> truth) {
  return pool_gain(ensemble::PoolKind::kLinear, members, weights, truth);
}

Result<PoolGain> log_pool_gain(std::span<const MatrixView> members, std::span<const double> weights,
                               std::span<const std::int32_t> truth) {
  return pool_gain(ensemble::PoolKind::kLog, members, weights, truth);
}

Result<Matrix> linear_pool(std::span<const MatrixView> members, std::span<const double> weights) {
  return pool_items(ensemble::PoolKind::kLinear, members, weights);
}

Result<Matrix> log_pool(std::span<const MatrixView> members, std::span<const double> weights) {
  return pool_items(ensemble::PoolKind::kLog, members, weights);
}

}  // namespace consort::fitting
