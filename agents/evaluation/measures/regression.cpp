#include "agents/evaluation/measures/regression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {
namespace {

Status check(std::span<const double> a, std::span<const double> b) {
  CONSORT_CHECK_OK(fitting::check_finite(a, "values"));
  CONSORT_CHECK_OK(fitting::check_same_size(a.size(), b.size(), "values of both sides"));
  return fitting::check_finite(b, "values");
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

bool varies(std::span<const double> values) {
  return std::any_of(values.begin(), values.end(), [&](double v) { return v != values[0]; });
}

}  // namespace

Result<RegressionScores> regression_scores(std::span<const double> predicted, std::span<const double> truth) {
  CONSORT_CHECK_OK(check(predicted, truth));
  const auto n = static_cast<double>(truth.size());
  const double mean = mean_of(truth);
  double squares = 0, total = 0;
  RegressionScores made;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double off = predicted[i] - truth[i];
    squares += off * off;
    total += (truth[i] - mean) * (truth[i] - mean);
    made.mae += std::abs(off) / n;
  }
  made.rmse = std::sqrt(squares / n);
  made.r2 = varies(truth) ? 1 - squares / total : std::numeric_limits<double>::quiet_NaN();
  return made;
}

Result<double> pearson(std::span<const double> a, std::span<const double> b) {
  CONSORT_CHECK_OK(check(a, b));
  if (!varies(a) || !varies(b)) return fail(ErrorKind::kInvalid, "a correlation needs values that vary");
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

Result<double> spearman(std::span<const double> a, std::span<const double> b) {
  CONSORT_CHECK_OK(check(a, b));
  return pearson(mean_ranks(a), mean_ranks(b));
}

std::vector<double> mean_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t k = begin; k < end; ++k) ranks[order[k]] = 0.5 * static_cast<double>(begin + 1 + end);
    begin = end;
  }
  return ranks;
}

}  // namespace consort::measures
