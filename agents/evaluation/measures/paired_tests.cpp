#include "agents/evaluation/measures/paired_tests.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/special.h"
#include "agents/evaluation/measures/clusters.h"

namespace consort::measures {
namespace {

// Share of the sign patterns of `units` whose sum is at least as far from 0 as `reach`.
double exact_share(const std::vector<double>& units, double reach) {
  const std::size_t patterns = std::size_t{1} << units.size();
  std::size_t hits = 0;
  for (std::size_t pattern = 0; pattern < patterns; ++pattern) {
    double sum = 0;
    for (std::size_t u = 0; u < units.size(); ++u) sum += (pattern >> u & 1) != 0 ? -units[u] : units[u];
    hits += std::abs(sum) >= reach ? 1 : 0;
  }
  return static_cast<double>(hits) / static_cast<double>(patterns);
}

double drawn_share(const std::vector<double>& units, double reach, const SignFlipOptions& options) {
  int hits = 0;
  for (int draw = 0; draw < options.draws; ++draw) {
    fitting::SeededStream stream(options.seed, static_cast<std::uint64_t>(draw));
    double sum = 0;
    std::uint64_t signs = 0;
    for (std::size_t u = 0; u < units.size(); ++u, signs >>= 1) {
      if (u % 64 == 0) signs = stream.bits();
      sum += (signs & 1) != 0 ? -units[u] : units[u];
    }
    hits += std::abs(sum) >= reach ? 1 : 0;
  }
  return (hits + 1.0) / (options.draws + 1.0);
}

Status check_shares(std::size_t items, double alpha, double power) {
  if (items == 0) return fail(ErrorKind::kInvalid, "an effect is detected on items");
  if (alpha > 0 && alpha < 1 && power > 0 && power < 1) return {};
  return fail(ErrorKind::kInvalid, "alpha and power must lie between 0 and 1");
}

}  // namespace

McNemar exact_mcnemar(std::size_t b, std::size_t c) {
  McNemar made{b, c, 1};
  const auto n = static_cast<std::int64_t>(b + c), least = static_cast<std::int64_t>(std::min(b, c));
  double tail = 0;
  for (std::int64_t k = 0; k <= least; ++k) tail += std::exp(fitting::log_fair_binomial(n, k));
  made.p = std::min(1.0, 2 * tail);
  return made;
}

Result<McNemar> exact_mcnemar(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second) {
  CONSORT_CHECK_OK(fitting::check_marks(first, "marks of the first"));
  CONSORT_CHECK_OK(fitting::check_same_size(first.size(), second.size(), "marks of both"));
  CONSORT_CHECK_OK(fitting::check_marks(second, "marks of the second"));
  std::size_t b = 0, c = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    b += first[i] > second[i] ? 1 : 0;
    c += first[i] < second[i] ? 1 : 0;
  }
  return exact_mcnemar(b, c);
}

Result<SignFlip> sign_flip_test(std::span<const double> differences,
                                std::span<const std::int32_t> cluster_numbers,
                                const SignFlipOptions& options) {
  CONSORT_CHECK_OK(fitting::check_finite(differences, "differences"));
  CONSORT_TRY(clusters, clusters_of(differences.size(), cluster_numbers));
  if (options.draws < 1) return fail(ErrorKind::kInvalid, "a permutation test needs draws");
  SignFlip made;
  std::vector<double> units;
  double sum = 0, size = 0;
  for (const auto& members : clusters.members) {
    double unit = 0;
    for (const std::size_t i : members) unit += differences[i];
    sum += unit;
    size += std::abs(unit);
    if (unit != 0) units.push_back(unit);
  }
  made.mean = sum / static_cast<double>(differences.size());
  made.units = units.size();
  made.exact = units.size() <= kMostExactFlips;
  // Sums of one pattern and its mirror differ by rounding: what is within it counts as equal.
  const double reach = std::abs(sum) - 1e-12 * size;
  made.p = made.exact ? exact_share(units, reach) : drawn_share(units, reach, options);
  return made;
}

Result<std::vector<double>> holm(std::span<const double> p_values) {
  CONSORT_CHECK_OK(fitting::check_finite(p_values, "p-values"));
  for (const double p : p_values) {
    if (p < 0 || p > 1) return fail(ErrorKind::kInvalid, "p-values must lie in [0, 1]");
  }
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> out(p_values.size());
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(order.size() - k) * p_values[order[k]]));
    out[order[k]] = largest;
  }
  return out;
}

Result<double> minimum_detectable_effect(double discordant, std::size_t items, double alpha, double power) {
  if (!(discordant > 0 && discordant <= 1)) {
    return fail(ErrorKind::kInvalid, "the discordant share must lie in (0, 1]");
  }
  return minimum_detectable_mean(std::sqrt(discordant), items, alpha, power);
}

Result<double> minimum_detectable_mean(double deviation, std::size_t items, double alpha, double power) {
  CONSORT_CHECK_OK(check_shares(items, alpha, power));
  if (!(deviation > 0) || !std::isfinite(deviation)) {
    return fail(ErrorKind::kInvalid, "the deviation must be above 0 and finite");
  }
  const double reach = fitting::normal_quantile(1 - alpha / 2) + fitting::normal_quantile(power);
  return reach * deviation / std::sqrt(static_cast<double>(items));
}

}  // namespace consort::measures
