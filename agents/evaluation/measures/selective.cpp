#include "agents/evaluation/measures/selective.h"

#include <algorithm>
#include <numeric>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {

Result<SelectiveRisk> selective_risk(std::span<const double> confidence, std::span<const double> loss) {
  CONSORT_CHECK_OK(fitting::check_finite(confidence, "confidences"));
  CONSORT_CHECK_OK(fitting::check_same_size(confidence.size(), loss.size(), "confidences and losses"));
  CONSORT_CHECK_OK(fitting::check_finite(loss, "losses"));
  std::vector<double> best(loss.begin(), loss.end());
  std::sort(best.begin(), best.end());
  if (best[0] < 0) return fail(ErrorKind::kInvalid, "losses must not be negative");
  std::vector<std::size_t> order(loss.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return confidence[a] != confidence[b] ? confidence[a] > confidence[b] : loss[a] < loss[b];
  });
  const auto n = static_cast<double>(loss.size());
  SelectiveRisk made;
  double before = 0;  // losses of the groups that are surer
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double group = 0;
    for (; end < order.size() && confidence[order[end]] == confidence[order[begin]]; ++end)
      group += loss[order[end]];
    // The mean over orders of the group's first j losses is j / size of the group's sum.
    const double each = group / static_cast<double>(end - begin);
    for (std::size_t k = begin + 1; k <= end; ++k) {
      made.aurc += (before + each * static_cast<double>(k - begin)) / static_cast<double>(k) / n;
    }
    before += group;
    made.curve.push_back(
        {static_cast<double>(end) / n, before / static_cast<double>(end), confidence[order[begin]]});
    begin = end;
  }
  double sum = 0;
  for (std::size_t k = 0; k < best.size(); ++k) {
    sum += best[k];
    made.optimal += sum / static_cast<double>(k + 1) / n;
  }
  made.excess = made.aurc - made.optimal;
  return made;
}

}  // namespace consort::measures
