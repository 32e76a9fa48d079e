#include "agents/ensemble/pools.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/numbers.h"

namespace consort::ensemble {
namespace {

double number_option(const Value& options, std::string_view name, double otherwise) {
  const Value* v = options.find(name);
  return v && v->is_number() ? v->as_number() : otherwise;
}

// A member's distribution over the choices: softmax of its scores, mixed with a floor so that no single
// member can veto a choice by rounding (log pool).
std::vector<double> member_distribution(std::vector<double> scores, double temperature, double floor) {
  for (double& s : scores) s /= temperature;
  std::vector<double> logs = log_softmax(std::move(scores));
  if (floor <= 0) return logs;
  const double least = std::log(floor);
  bool raised = false;
  for (double& lp : logs) {
    if (lp >= least) continue;
    lp = least;
    raised = true;
  }
  return raised ? log_softmax(std::move(logs)) : logs;
}

}  // namespace

std::vector<double> pooled(PoolKind kind, const std::vector<std::vector<double>>& members,
                           const std::vector<double>& weights, double* log_partition) {
  std::vector<double> out;
  for (std::size_t c = 0; c < members[0].size(); ++c) {
    std::vector<double> terms;
    for (std::size_t m = 0; m < members.size(); ++m) {
      if (weights[m] <= 0) continue;
      terms.push_back(kind == PoolKind::kLinear ? std::log(weights[m]) + members[m][c]
                                                : weights[m] * members[m][c]);
    }
    out.push_back(kind == PoolKind::kLinear ? log_sum_exp(std::move(terms)) : ordered_sum(std::move(terms)));
  }
  const double z = log_sum_exp(out);
  if (log_partition) *log_partition = z;
  for (double& lp : out) lp -= z;
  return out;
}

double divergence(const std::vector<std::vector<double>>& members, const std::vector<double>& weights) {
  std::vector<double> terms;
  for (std::size_t m = 0; m < members.size(); ++m) terms.push_back(weights[m] * entropy_of_logs(members[m]));
  const double total = entropy_of_logs(pooled(PoolKind::kLinear, members, weights));
  return std::max(0.0, total - ordered_sum(std::move(terms)));
}

Result<EnsembleResult> combine_pool(PoolKind kind, std::string_view strategy, const PredictionTable& table,
                                    const Value& options) {
  CONSORT_TRY(members, taking_part(table, PredictionNeed::kScores));
  const std::vector<double> weights = normalised_weights(table, members);
  const ScoreTable scores = score_table(table, members);
  const bool per_byte = options.get("scores") == Value("logProbPerByte");
  const double temperature = number_option(options, "temperature", 1.0);
  const double floor = kind == PoolKind::kLog ? number_option(options, "floor", 1e-10) : 0.0;
  std::vector<std::vector<double>> distributions;
  for (std::size_t m = 0; m < members.size(); ++m) {
    distributions.push_back(
        member_distribution(per_byte ? scores.per_byte[m] : scores.total[m], temperature, floor));
  }
  const std::vector<double> combined = pooled(kind, distributions, weights);
  EnsembleResult result;
  result.strategy = strategy;
  report_own_choices(table, members, weights, scores, distributions, result);
  std::vector<Contender> contenders = candidate_contenders(table, members, weights, scores);
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    contenders[c].entry.score = combined[c];
    contenders[c].entry.probability = std::exp(combined[c]);
  }
  rank_contenders(std::move(contenders), result);
  measure_doubt(result);
  result.signals.disagreement = divergence(distributions, weights);
  return result;
}

}  // namespace consort::ensemble
