#include "agents/ensemble/fitting/pool_weights.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/pool_checks.h"
#include "agents/ensemble/numbers.h"
#include "agents/ensemble/pools.h"

namespace consort::fitting {
namespace {

Result<Matrix> pool_items(ensemble::PoolKind kind, std::span<const MatrixView> members,
                          std::span<const double> given, std::vector<double>* log_partitions = nullptr) {
  CONSORT_CHECK_OK(check_pool_members(members));
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

}  // namespace

Status check_pool_members(std::span<const MatrixView> members) {
  if (members.empty()) return fail(ErrorKind::kInvalid, "a pool needs members");
  for (const MatrixView& member : members) {
    CONSORT_CHECK_OK(check_log_distributions(member, "a member's ln p"));
    if (member.columns != members[0].columns || member.values.size() != members[0].values.size()) {
      return fail(ErrorKind::kInvalid, "members of a pool need the same items and classes");
    }
  }
  return {};
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
