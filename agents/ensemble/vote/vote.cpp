// Plurality: one member, one vote (research note A1). Weights only break ties.
#include "agents/ensemble/ranking.h"
#include "agents/ensemble/votes.h"

namespace consort {
namespace {

class Vote : public EnsembleStrategy {
 public:
  std::string_view name() const override { return "vote"; }
  PredictionNeed needs() const override { return PredictionNeed::kAnswers; }
  const Value& options_schema() const override { return schema_; }
  const Value& recorded_case() const override { return case_; }
  Result<EnsembleResult> combine(const PredictionTable& table, const Value& options) const override {
    return ensemble::combine_votes(table, name(), ensemble::answer_kind_option(options),
                                   [](const MemberPrediction&) { return 1.0; });
  }

 private:
  const Value schema_ = ensemble::embedded_json(
#include "agents/ensemble/vote/schema.json.inc"
      , "vote/schema.json");
  const Value case_ = ensemble::embedded_json(
#include "agents/ensemble/vote/case.json.inc"
      , "vote/case.json");
};

}  // namespace

const EnsembleStrategy& vote_strategy() {
  static const Vote strategy;
  return strategy;
}

}  // namespace consort
