#include "agents/ensemble/pool_options.h"

namespace consort {

Result<CombinerOptions> read_pool(const Value& options) {
  CombinerOptions out;
  if (const Value* pool = options.find("pool"))
    out.rule = combine_rule_of(pool->as_string()).value_or(CombineRule::kBayes);
  const Value *alpha = options.find("alpha"), *beta = options.find("beta"), *cut = options.find("cut");
  if (alpha != nullptr && out.rule != CombineRule::kBayes)
    return fail(ErrorKind::kInvalid, "alpha belongs to pool: bayes", "with/options/alpha");
  if ((beta != nullptr || cut != nullptr) && out.rule != CombineRule::kContrast)
    return fail(ErrorKind::kInvalid, "beta and cut belong to pool: contrast", "with/options/beta");
  if (alpha != nullptr) out.alpha = alpha->as_number();
  if (beta != nullptr) out.beta = beta->as_number();
  if (cut != nullptr) out.cut = cut->as_number();
  return out;
}

}  // namespace consort
