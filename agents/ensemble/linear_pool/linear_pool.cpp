// p = sum_m w_m p_m over the given choices (research note A2): a choice stays likely when one member finds it
// so. Never worse in log-loss than the weighted average of its members.
#include "agents/ensemble/pools.h"

namespace consort {
namespace {

class LinearPool : public EnsembleStrategy {
 public:
  std::string_view name() const override { return "linearPool"; }
  PredictionNeed needs() const override { return PredictionNeed::kScores; }
  const Value& options_schema() const override { return schema_; }
  const Value& recorded_case() const override { return case_; }
  Result<EnsembleResult> combine(const PredictionTable& table, const Value& options) const override {
    return ensemble::combine_pool(ensemble::PoolKind::kLinear, name(), table, options);
  }

 private:
  const Value schema_ = ensemble::embedded_json(
#include "agents/ensemble/linear_pool/schema.json.inc"
      , "linear_pool/schema.json");
  const Value case_ = ensemble::embedded_json(
#include "agents/ensemble/linear_pool/case.json.inc"
      , "linear_pool/case.json");
};

}  // namespace

const EnsembleStrategy& linear_pool_strategy() {
  static const LinearPool strategy;
  return strategy;
}

}  // namespace consort
