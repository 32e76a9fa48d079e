#include "agents/ensemble/fitting/logistic.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/newton.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/sigmoid.h"

namespace consort::fitting {
namespace {

// Loss of weights over standardised columns; the last parameter is the bias, without penalty.
class LogisticLoss : public Bowl {
 public:
  LogisticLoss(const Matrix& x, std::span<const std::uint8_t> target, double penalty)
      : x_(x), target_(target), penalty_(penalty) {}

  std::size_t parameters() const override { return x_.columns + 1; }
  double value(std::span<const double> w) const override {
    double sum = 0;
    for (std::size_t i = 0; i < target_.size(); ++i) {
      const double z = line(i, w);
      sum += log_one_plus_exp(z) - (target_[i] != 0 ? z : 0.0);
    }
    for (std::size_t j = 0; j < x_.columns; ++j) sum += penalty_ / 2 * w[j] * w[j];
    return sum;
  }
  void bend(std::span<const double> w, std::vector<double>& slope, SymmetricMatrix& curve) const override {
    const std::size_t d = x_.columns;
    for (std::size_t i = 0; i < target_.size(); ++i) {
      const double p = sigmoid(line(i, w)), off = p - target_[i], weight = p * (1 - p);
      const auto row = x_.row(i);
      for (std::size_t a = 0; a <= d; ++a) {
        const double xa = a < d ? row[a] : 1.0;
        slope[a] += off * xa;
        for (std::size_t b = 0; b <= a; ++b) curve.row(a)[b] += weight * xa * (b < d ? row[b] : 1.0);
      }
    }
    for (std::size_t j = 0; j < d; ++j) {
      slope[j] += penalty_ * w[j];
      curve.row(j)[j] += penalty_;
    }
  }

 private:
  double line(std::size_t i, std::span<const double> w) const {
    const auto row = x_.row(i);
    double z = w[x_.columns];
    for (std::size_t j = 0; j < x_.columns; ++j) z += w[j] * row[j];
    return z;
  }
  const Matrix& x_;
  std::span<const std::uint8_t> target_;
  double penalty_;
};

Status check(MatrixView features, std::span<const std::uint8_t> target, double penalty) {
  CONSORT_CHECK_OK(check_matrix(features, "features"));
  CONSORT_CHECK_OK(check_same_size(features.rows(), target.size(), "rows of features and targets"));
  CONSORT_CHECK_OK(check_marks(target, "targets"));
  const auto ones = static_cast<std::size_t>(std::count(target.begin(), target.end(), 1));
  if (ones == 0 || ones == target.size())
    return fail(ErrorKind::kInvalid, "logistic regression needs both classes");
  return check_penalty(penalty);
}

}  // namespace

double LogisticModel::logit(std::span<const double> features) const {
  double z = bias;
  for (std::size_t j = 0; j < weights.size(); ++j) z += weights[j] * features[j];
  return z;
}

double LogisticModel::probability(std::span<const double> features) const {
  return sigmoid(logit(features));
}

Result<LogisticModel> fit_logistic(MatrixView features, std::span<const std::uint8_t> target,
                                   double penalty) {
  CONSORT_CHECK_OK(check(features, target, penalty));
  const Columns columns(features);
  const Matrix x = columns.standardised(features);
  const NewtonEnd end = newton_minimum(LogisticLoss(x, target, penalty));
  LogisticModel made;
  made.iterations = end.iterations;
  made.converged = end.converged;
  made.bias = end.point.back();
  for (std::size_t j = 0; j < x.columns; ++j) {
    made.weights.push_back(end.point[j] * columns.inverse_deviations[j]);
    made.bias -= made.weights[j] * columns.means[j];
  }
  return made;
}

Result<std::vector<int>> group_folds(std::size_t items, std::span<const std::int32_t> groups, int folds,
                                     std::uint64_t seed) {
  if (!groups.empty()) CONSORT_CHECK_OK(check_same_size(items, groups.size(), "items and groups"));
  // Groups in the order of their number, so that the folds do not depend on the order of items of other
  // groups.
  std::map<std::int32_t, std::size_t> place;
  for (std::size_t i = 0; i < items; ++i)
    place.emplace(groups.empty() ? static_cast<std::int32_t>(i) : groups[i], 0);
  if (folds < 2 || place.size() < static_cast<std::size_t>(folds)) {
    return fail(ErrorKind::kInvalid, std::to_string(place.size()) + " groups do not make " +
                                         std::to_string(folds) + " folds (at least 2, at most one a group)");
  }
  std::size_t next = 0;
  for (auto& [group, number] : place) number = next++;
  std::vector<std::size_t> order(place.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  SeededStream(seed).shuffle(order);
  std::vector<int> fold_of(place.size());
  for (std::size_t g = 0; g < order.size(); ++g) {
    fold_of[order[g]] = static_cast<int>(g % static_cast<std::size_t>(folds));
  }
  std::vector<int> out(items);
  for (std::size_t i = 0; i < items; ++i) {
    out[i] = fold_of[place.at(groups.empty() ? static_cast<std::int32_t>(i) : groups[i])];
  }
  return out;
}

Result<std::vector<double>> out_of_fold(MatrixView features, std::span<const std::uint8_t> target,
                                        double penalty, std::span<const int> folds) {
  CONSORT_CHECK_OK(check(features, target, penalty));
  CONSORT_CHECK_OK(check_same_size(target.size(), folds.size(), "targets and folds"));
  std::vector<int> names(folds.begin(), folds.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() < 2) return fail(ErrorKind::kInvalid, "out-of-fold predictions need at least two folds");
  std::vector<double> out(target.size());
  for (const int fold : names) {
    Matrix rest;
    rest.columns = features.columns;
    std::vector<std::uint8_t> rest_target;
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (folds[i] == fold) continue;
      const auto row = features.row(i);
      rest.values.insert(rest.values.end(), row.begin(), row.end());
      rest_target.push_back(target[i]);
    }
    auto model = fit_logistic(rest, rest_target, penalty);
    if (!model) {
      Error error = std::move(model.error());
      error.what = "without fold " + std::to_string(fold) + ": " + error.what;
      return tl::unexpected<Error>(std::move(error));
    }
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (folds[i] == fold) out[i] = model->probability(features.row(i));
    }
  }
  return out;
}

}  // namespace consort::fitting
