#include "agents/ensemble/fitting/isotonic.h"

#include <algorithm>
#include <numeric>

#include "agents/ensemble/fitting/checks.h"

namespace consort::fitting {
namespace {

struct Pool {
  double first = 0, last = 0;  // scores
  double weight = 0, sum = 0;  // sum of weight * target
  double mean() const { return sum / weight; }
};

}  // namespace

double Isotonic::value(double score) const {
  const auto above = std::upper_bound(scores.begin(), scores.end(), score);
  if (above == scores.begin()) return values.front();
  if (above == scores.end()) return values.back();
  const auto right = static_cast<std::size_t>(above - scores.begin()), left = right - 1;
  const double share = (score - scores[left]) / (scores[right] - scores[left]);
  return values[left] + share * (values[right] - values[left]);
}

Result<Isotonic> fit_isotonic(std::span<const double> scores, std::span<const double> targets,
                              std::span<const double> weights) {
  CONSORT_CHECK_OK(check_finite(scores, "scores"));
  CONSORT_CHECK_OK(check_same_size(scores.size(), targets.size(), "scores and targets"));
  CONSORT_CHECK_OK(check_finite(targets, "targets"));
  if (!weights.empty()) {
    CONSORT_CHECK_OK(check_same_size(scores.size(), weights.size(), "scores and weights"));
    CONSORT_CHECK_OK(check_finite(weights, "weights"));
    if (*std::min_element(weights.begin(), weights.end()) <= 0) {
      return fail(ErrorKind::kInvalid, "weights of isotonic regression must be above 0");
    }
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // By target and weight as well, so that sums of equal scores do not depend on the items' order.
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (scores[a] != scores[b]) return scores[a] < scores[b];
    if (targets[a] != targets[b]) return targets[a] < targets[b];
    return !weights.empty() && weights[a] < weights[b];
  });
  std::vector<Pool> equal;
  for (const std::size_t i : order) {
    const double w = weights.empty() ? 1.0 : weights[i];
    if (equal.empty() || equal.back().last != scores[i]) equal.push_back({scores[i], scores[i], 0, 0});
    equal.back().weight += w;
    equal.back().sum += w * targets[i];
  }
  std::vector<Pool> pools;
  for (const Pool& next : equal) {
    pools.push_back(next);
    while (pools.size() > 1 && pools[pools.size() - 2].mean() >= pools.back().mean()) {
      Pool& before = pools[pools.size() - 2];
      before.last = pools.back().last;
      before.weight += pools.back().weight;
      before.sum += pools.back().sum;
      pools.pop_back();
    }
  }
  Isotonic made;
  for (const Pool& pool : pools) {
    made.scores.push_back(pool.first);
    made.values.push_back(pool.mean());
    if (pool.last == pool.first) continue;
    made.scores.push_back(pool.last);
    made.values.push_back(pool.mean());
  }
  return made;
}

}  // namespace consort::fitting
