// p ~ prod_m p_m ^ w_m over the given choices (research note A2): every member has a veto, sharper than the
// linear pool; for calibrated, similar members. Its gain over the average member is -ln Z >= 0.
#include "agents/ensemble/pools.h"

namespace consort {
namespace {

class LogPool : public EnsembleStrategy {
 public:
  std::string_view name() const override { return "logPool"; }
  PredictionNeed needs() const override { return PredictionNeed::kScores; }
  const Value& options_schema() const override { return schema_; }
  const Value& recorded_case() const override { return case_; }
  Result<EnsembleResult> combine(const PredictionTable& table, const Value& options) const override {
    return ensemble::combine_pool(ensemble::PoolKind::kLog, name(), table, options);
  }

 private:
  const Value schema_ = ensemble::embedded_json(
#include "agents/ensemble/log_pool/schema.json.inc"
      , "log_pool/schema.json");
  const Value case_ = ensemble::embedded_json(
#include "agents/ensemble/log_pool/case.json.inc"
      , "log_pool/case.json");
};

}  // namespace

const EnsembleStrategy& log_pool_strategy() {
  static const LogPool strategy;
  return strategy;
}

}  // namespace consort
