#include "agents/evaluation/measures/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/special.h"
#include "agents/evaluation/measures/clusters.h"

namespace consort::measures {
namespace {

using fitting::SeededStream;

Status check_options(const BootstrapOptions& options) {
  constexpr int kLeastResamples = 100;
  if (options.resamples < kLeastResamples) {
    return fail(ErrorKind::kInvalid,
                "a bootstrap needs at least " + std::to_string(kLeastResamples) + " resamples");
  }
  if (options.level > 0 && options.level < 1) return {};
  return fail(ErrorKind::kInvalid, "the level of an interval must lie between 0 and 1");
}

// Linear between order statistics (Hyndman and Fan 1996, type 7). sorted: ascending.
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

// Levels of the two ends after Efron's correction for bias and skew; none where it is undefined.
std::optional<std::pair<double, double>> bca_levels(const std::vector<double>& sorted, double estimate,
                                                    const std::vector<double>& jackknife, double level) {
  const auto less = std::lower_bound(sorted.begin(), sorted.end(), estimate) - sorted.begin();
  const auto not_more = std::upper_bound(sorted.begin(), sorted.end(), estimate) - sorted.begin();
  const double share = static_cast<double>(less + not_more) / (2 * static_cast<double>(sorted.size()));
  const double bias = fitting::normal_quantile(share);
  double mean = 0, squares = 0, cubes = 0;
  for (const double v : jackknife) mean += v / static_cast<double>(jackknife.size());
  for (const double v : jackknife) {
    squares += (mean - v) * (mean - v);
    cubes += (mean - v) * (mean - v) * (mean - v);
  }
  if (!std::isfinite(bias) || !(squares > 0)) return std::nullopt;
  const double skew = cubes / (6 * squares * std::sqrt(squares));
  const auto moved = [&](double q) {
    const double z = bias + fitting::normal_quantile(q);
    return fitting::normal_cdf(bias + z / (1 - skew * z));
  };
  const std::pair<double, double> ends{moved((1 - level) / 2), moved((1 + level) / 2)};
  if (!(ends.first < ends.second)) return std::nullopt;
  return ends;
}

Interval interval_of(std::vector<double> resamples, double estimate, const std::vector<double>& jackknife,
                     const BootstrapOptions& options) {
  Interval made;
  made.estimate = estimate;
  const auto n = static_cast<double>(resamples.size());
  double mean = 0, squares = 0;
  for (const double v : resamples) mean += v / n;
  for (const double v : resamples) squares += (v - mean) * (v - mean);
  made.standard_error = std::sqrt(squares / (n - 1));
  std::sort(resamples.begin(), resamples.end());
  std::pair<double, double> ends{(1 - options.level) / 2, (1 + options.level) / 2};
  if (options.kind == IntervalKind::kBca)
    ends = bca_levels(resamples, estimate, jackknife, options.level).value_or(ends);
  made.low = quantile(resamples, ends.first);
  made.high = quantile(resamples, ends.second);
  return made;
}

Status check_clusters(const Clusters& clusters) {
  if (clusters.members.size() >= 2) return {};
  return fail(ErrorKind::kInvalid, "resampling needs at least two items or clusters");
}

}  // namespace

Result<Interval> bootstrap_mean(std::span<const double> values, std::span<const std::int32_t> cluster_numbers,
                                const BootstrapOptions& options) {
  CONSORT_CHECK_OK(check_options(options));
  CONSORT_CHECK_OK(fitting::check_finite(values, "values"));
  CONSORT_TRY(clusters, clusters_of(values.size(), cluster_numbers));
  CONSORT_CHECK_OK(check_clusters(clusters));
  struct Part {
    double sum = 0, count = 0;
  };
  std::vector<Part> parts;
  Part all;
  for (const auto& members : clusters.members) {
    Part& part = parts.emplace_back();
    for (const std::size_t i : members) part.sum += values[i];
    part.count = static_cast<double>(members.size());
    all.sum += part.sum;
    all.count += part.count;
  }
  std::vector<double> resamples(static_cast<std::size_t>(options.resamples)), jackknife;
  for (std::size_t r = 0; r < resamples.size(); ++r) {
    SeededStream stream(options.seed, r);
    Part drawn;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const Part& part = parts[stream.below(parts.size())];
      drawn.sum += part.sum;
      drawn.count += part.count;
    }
    resamples[r] = drawn.sum / drawn.count;
  }
  for (const Part& part : parts) jackknife.push_back((all.sum - part.sum) / (all.count - part.count));
  Interval made = interval_of(std::move(resamples), all.sum / all.count, jackknife, options);
  made.items = values.size();
  made.clusters = parts.size();
  return made;
}

Result<Interval> paired_bootstrap(std::span<const double> a, std::span<const double> b,
                                  std::span<const std::int32_t> clusters, const BootstrapOptions& options) {
  CONSORT_CHECK_OK(fitting::check_same_size(a.size(), b.size(), "values of both sides"));
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  return bootstrap_mean(differences, clusters, options);
}

Result<Interval> bootstrap_statistic(std::size_t items, const ItemStatistic& statistic,
                                     std::span<const std::int32_t> cluster_numbers,
                                     const BootstrapOptions& options) {
  CONSORT_CHECK_OK(check_options(options));
  CONSORT_TRY(clusters, clusters_of(items, cluster_numbers));
  CONSORT_CHECK_OK(check_clusters(clusters));
  std::vector<std::size_t> chosen;
  const auto take = [&](std::size_t cluster) {
    const auto& members = clusters.members[cluster];
    chosen.insert(chosen.end(), members.begin(), members.end());
  };
  const std::size_t count = clusters.members.size();
  for (std::size_t c = 0; c < count; ++c) take(c);
  const double estimate = statistic(chosen);
  if (!std::isfinite(estimate)) return fail(ErrorKind::kInvalid, "the statistic is not finite on the data");
  std::vector<double> resamples, jackknife;
  constexpr int kMostTries = 100;
  for (int r = 0; r < options.resamples; ++r) {
    SeededStream stream(options.seed, static_cast<std::uint64_t>(r));
    double value = NAN;
    for (int t = 0; t < kMostTries && !std::isfinite(value); ++t) {
      chosen.clear();
      for (std::size_t k = 0; k < count; ++k) take(stream.below(count));
      value = statistic(chosen);
    }
    if (!std::isfinite(value)) {
      return fail(ErrorKind::kInvalid, "the statistic is not finite on a hundred resamples in a row", "",
                  "there are too few items of some kind to resample");
    }
    resamples.push_back(value);
  }
  for (std::size_t left_out = 0; options.kind == IntervalKind::kBca && left_out < count; ++left_out) {
    chosen.clear();
    for (std::size_t c = 0; c < count; ++c) {
      if (c != left_out) take(c);
    }
    const double value = statistic(chosen);
    if (std::isfinite(value)) jackknife.push_back(value);
  }
  if (jackknife.size() != count) jackknife.clear();  // BCa is undefined then: the percentile stands
  Interval made = interval_of(std::move(resamples), estimate, jackknife, options);
  made.items = items;
  made.clusters = count;
  return made;
}

}  // namespace consort::measures
