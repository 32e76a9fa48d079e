// Stacking over candidates (conditional logit, McFadden 1974; research note A2): fitted weights on what
// members show.
#include <algorithm>
#include <cmath>

#include "agents/ensemble/numbers.h"
#include "agents/ensemble/pools.h"
#include "agents/ensemble/ranking.h"
#include "agents/ensemble/stack_features.h"

namespace consort {
namespace {

class Stack : public EnsembleStrategy {
 public:
  std::string_view name() const override { return "stack"; }
  PredictionNeed needs() const override { return PredictionNeed::kScores; }
  const Value& options_schema() const override { return schema_; }
  const Value& recorded_case() const override { return case_; }
  Result<EnsembleResult> combine(const PredictionTable& table, const Value& options) const override;

 private:
  const Value schema_ = ensemble::embedded_json(
#include "agents/ensemble/stack/schema.json.inc"
      , "stack/schema.json");
  const Value case_ = ensemble::embedded_json(
#include "agents/ensemble/stack/case.json.inc"
      , "stack/case.json");
};

// A weight for each column of the features.
Result<std::vector<double>> column_weights(const PredictionTable& table,
                                           const std::vector<std::string>& names,
                                           const std::vector<double>& shares, const Value* given) {
  constexpr std::size_t kEach = kStackFeatures.size();
  std::vector<double> out(names.size() * kEach, 0.0);
  if (!given) {
    for (std::size_t m = 0; m < names.size(); ++m) out[m * kEach] = shares[m];
    return out;
  }
  bool any = false;
  for (const auto& [member, features] : given->as_object()) {
    const bool known = std::any_of(table.members.begin(), table.members.end(),
                                   [&](const MemberPrediction& m) { return m.name == member; });
    if (!known) {
      return fail(ErrorKind::kInvalid,
                  "weights are given for '" + std::string(member) + "', which is no member", "",
                  "name members as the ensemble does");
    }
    const auto place = std::find(names.begin(), names.end(), member) - names.begin();
    if (place == static_cast<std::ptrdiff_t>(names.size())) continue;  // it failed: its terms are left out
    for (std::size_t f = 0; f < kEach; ++f) {
      const Value* weight = features.find(kStackFeatures[f]);
      if (!weight) continue;
      out[static_cast<std::size_t>(place) * kEach + f] = weight->as_number();
      any = any || weight->as_number() != 0;
    }
  }
  if (!any)
    return fail(ErrorKind::kInvalid, "no weight of the stack is other than 0 for a member that answered");
  return out;
}

Result<EnsembleResult> Stack::combine(const PredictionTable& table, const Value& options) const {
  CONSORT_TRY(features, stack_features(table));
  CONSORT_TRY(members, ensemble::taking_part(table, needs()));
  std::sort(members.begin(), members.end(),
            [&](std::size_t a, std::size_t b) { return table.members[a].name < table.members[b].name; });
  const std::vector<double> shares = ensemble::normalised_weights(table, members);
  CONSORT_TRY(weights, column_weights(table, features.members, shares, options.find("weights")));
  const ensemble::ScoreTable scores = ensemble::score_table(table, members);
  std::vector<std::vector<double>> distributions;
  for (const auto& total : scores.total) distributions.push_back(ensemble::log_softmax(total));
  EnsembleResult result;
  result.strategy = name();
  ensemble::report_own_choices(table, members, shares, scores, distributions, result);
  auto contenders = ensemble::candidate_contenders(table, members, shares, scores);
  std::vector<double> logits;
  for (ensemble::Contender& contender : contenders) {
    const auto row = features.values.row(*contender.entry.candidate);
    std::vector<double> terms;
    for (std::size_t f = 0; f < weights.size(); ++f) terms.push_back(weights[f] * row[f]);
    contender.entry.score = ensemble::ordered_sum(std::move(terms));
    logits.push_back(contender.entry.score);
  }
  logits = ensemble::log_softmax(std::move(logits));
  for (std::size_t c = 0; c < contenders.size(); ++c) contenders[c].entry.probability = std::exp(logits[c]);
  ensemble::rank_contenders(std::move(contenders), result);
  ensemble::measure_doubt(result);
  result.signals.disagreement = ensemble::divergence(distributions, shares);
  return result;
}

}  // namespace

const EnsembleStrategy& stack_strategy() {
  static const Stack strategy;
  return strategy;
}

}  // namespace consort
