#include "agents/ensemble/fitting/signals.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <vector>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/numbers.h"
#include "agents/ensemble/pools.h"

namespace consort::fitting {

Result<DistributionSignals> distribution_signals(std::span<const double> log_p) {
  CONSORT_CHECK_OK(check_log_distributions({log_p, log_p.size()}, "ln p"));
  std::vector<double> sorted(log_p.begin(), log_p.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  DistributionSignals made;
  made.entropy = ensemble::entropy_of_logs(sorted);
  made.confidence = std::exp(sorted[0]);
  made.margin = sorted.size() > 1 ? made.confidence - std::exp(sorted[1]) : 1.0;
  return made;
}

Result<UncertaintySplit> uncertainty_split(MatrixView members, std::span<const double> given) {
  CONSORT_CHECK_OK(check_log_distributions(members, "members' ln p"));
  CONSORT_TRY(weights, normalised(given, members.rows()));
  std::vector<std::vector<double>> rows;
  for (std::size_t m = 0; m < members.rows(); ++m)
    rows.emplace_back(members.row(m).begin(), members.row(m).end());
  UncertaintySplit made;
  made.epistemic = ensemble::divergence(rows, weights);
  std::vector<double> terms;
  for (std::size_t m = 0; m < rows.size(); ++m)
    terms.push_back(weights[m] * ensemble::entropy_of_logs(rows[m]));
  made.aleatoric = ensemble::ordered_sum(std::move(terms));
  made.total = made.aleatoric + made.epistemic;
  return made;
}

Result<VoteSignals> vote_signals(std::span<const std::int32_t> votes) {
  std::map<std::int32_t, std::size_t> counts;
  VoteSignals made;
  for (const std::int32_t v : votes) {
    if (v < -1) return fail(ErrorKind::kInvalid, "votes are numbers of answers, or -1 for an abstention");
    if (v < 0) continue;
    ++counts[v];
    ++made.votes;
  }
  if (made.votes == 0) return fail(ErrorKind::kInvalid, "nobody voted");
  std::vector<double> shares;
  for (const auto& [answer, count] : counts) {
    shares.push_back(static_cast<double>(count) / static_cast<double>(made.votes));
  }
  std::sort(shares.begin(), shares.end(), std::greater<>());
  std::vector<double> terms;
  for (const double s : shares) terms.push_back(-s * std::log(s));
  made.entropy = std::max(0.0, ensemble::ordered_sum(std::move(terms)));
  made.agreement = shares[0];
  made.disagreement = 1 - shares[0];
  made.margin = shares[0] - (shares.size() > 1 ? shares[1] : 0.0);
  return made;
}

}  // namespace consort::fitting
