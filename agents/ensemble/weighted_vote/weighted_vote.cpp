// Votes that count by weight: given ones, or naive-Bayes weights from validation accuracy with K effective
// answers, w = ln(p (K - 1) / (1 - p)) (research note A1; binary log-odds would be negative below 50 % and
// break open answers).
#include <algorithm>
#include <cmath>

#include "agents/ensemble/ranking.h"
#include "agents/ensemble/votes.h"

namespace consort {
namespace {

constexpr double kLeastAccuracy = 0.02,
                 kMostAccuracy = 0.98;  // keeps one member from deciding alone for ever

double naive_bayes_weight(double accuracy, double answers) {
  const double p = std::clamp(accuracy, kLeastAccuracy, kMostAccuracy);
  return std::max(0.0, std::log(p * (answers - 1) / (1 - p)));  // worse than chance: no say
}

class WeightedVote : public EnsembleStrategy {
 public:
  std::string_view name() const override { return "weightedVote"; }
  PredictionNeed needs() const override { return PredictionNeed::kAnswers; }
  const Value& options_schema() const override { return schema_; }
  const Value& recorded_case() const override { return case_; }
  Result<EnsembleResult> combine(const PredictionTable& table, const Value& options) const override {
    const AnswerKind kind = ensemble::answer_kind_option(options);
    if (options.get("weighting") != Value("naiveBayes")) {
      return ensemble::combine_votes(table, name(), kind, [](const MemberPrediction& m) { return m.weight; });
    }
    for (const MemberPrediction& member : table.members) {
      if (member.error || (member.validation && *member.validation >= 0 && *member.validation <= 1)) continue;
      return fail(ErrorKind::kInvalid,
                  "naiveBayes weights need the validation accuracy of member '" + member.name + "'", "",
                  "give every member a validation score from 0 to 1");
    }
    const double answers = options.find("answers") ? options.find("answers")->as_number() : 20.0;
    return ensemble::combine_votes(table, name(), kind, [answers](const MemberPrediction& m) {
      return m.weight > 0 ? naive_bayes_weight(*m.validation, answers) : 0.0;
    });
  }

 private:
  const Value schema_ = ensemble::embedded_json(
#include "agents/ensemble/weighted_vote/schema.json.inc"
      , "weighted_vote/schema.json");
  const Value case_ = ensemble::embedded_json(
#include "agents/ensemble/weighted_vote/case.json.inc"
      , "weighted_vote/case.json");
};

}  // namespace

const EnsembleStrategy& weighted_vote_strategy() {
  static const WeightedVote strategy;
  return strategy;
}

}  // namespace consort
