// Likelihood ranking: every member scores every candidate by log-probability per byte (comparable across
// tokenizers), the weighted mean over members decides. The plain mean is the default and not the mean of
// standardised scores, because it is the log of a real pool (the geometric mean of the members' per-byte
// probabilities) and keeps how sure a member is; standardised scores forget that, and with two candidates
// they become +1 and -1, so that any two members who disagree tie.
#include <cmath>

#include "agents/ensemble/numbers.h"
#include "agents/ensemble/ranking.h"

namespace consort {
namespace {

// Mean 0 and standard deviation 1 over the candidates; all 0 where the member sees no difference.
std::vector<double> standardised(const std::vector<double>& scores) {
  const auto n = static_cast<double>(scores.size());
  const double mean = ensemble::ordered_sum(scores) / n;
  std::vector<double> squares;
  for (const double s : scores) squares.push_back((s - mean) * (s - mean));
  const double deviation = std::sqrt(ensemble::ordered_sum(squares) / n);
  std::vector<double> out;
  for (const double s : scores) out.push_back(deviation > 1e-12 ? (s - mean) / deviation : 0.0);
  return out;
}

class Rank : public EnsembleStrategy {
 public:
  std::string_view name() const override { return "rank"; }
  PredictionNeed needs() const override { return PredictionNeed::kScores; }
  const Value& options_schema() const override { return schema_; }
  const Value& recorded_case() const override { return case_; }
  Result<EnsembleResult> combine(const PredictionTable& table, const Value& options) const override;

 private:
  const Value schema_ = ensemble::embedded_json(
#include "agents/ensemble/rank/schema.json.inc"
      , "rank/schema.json");
  const Value case_ = ensemble::embedded_json(
#include "agents/ensemble/rank/case.json.inc"
      , "rank/case.json");
};

Result<EnsembleResult> Rank::combine(const PredictionTable& table, const Value& options) const {
  CONSORT_TRY(members, ensemble::taking_part(table, needs()));
  const std::vector<double> weights = ensemble::normalised_weights(table, members);
  const ensemble::ScoreTable scores = ensemble::score_table(table, members);
  const bool standardise = options.get("pool") == Value("standardised");
  const double temperature = options.find("temperature") ? options.find("temperature")->as_number() : 1.0;
  EnsembleResult result;
  result.strategy = name();
  ensemble::report_own_choices(table, members, weights, scores, scores.per_byte, result);
  auto contenders = ensemble::candidate_contenders(table, members, weights, scores);
  std::vector<std::vector<double>> pooled_terms(contenders.size());
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto own = standardise ? standardised(scores.per_byte[m]) : scores.per_byte[m];
    for (std::size_t c = 0; c < contenders.size(); ++c) pooled_terms[c].push_back(weights[m] * own[c]);
  }
  std::vector<double> logits;
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    contenders[c].entry.score = ensemble::ordered_sum(pooled_terms[c]);
    logits.push_back(contenders[c].entry.score / temperature);
  }
  logits = ensemble::log_softmax(std::move(logits));
  for (std::size_t c = 0; c < contenders.size(); ++c) contenders[c].entry.probability = std::exp(logits[c]);
  ensemble::rank_contenders(std::move(contenders), result);
  ensemble::measure_doubt(result);
  std::vector<double> others;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto first = ensemble::own_choices(scores.per_byte[m]);
    for (std::size_t c = 0; c < first.size(); ++c) {
      if (scores.candidates[c] == result.answer && !first[c]) others.push_back(weights[m]);
    }
  }
  result.signals.disagreement = ensemble::ordered_sum(std::move(others));
  return result;
}

}  // namespace

const EnsembleStrategy& rank_strategy() {
  static const Rank strategy;
  return strategy;
}

}  // namespace consort
