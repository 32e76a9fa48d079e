#include "agents/ensemble/token_mixture.h"

#include "agents/ensemble/options_schema.h"
#include "agents/ensemble/pool_options.h"
#include "agents/ensemble/ranking.h"

namespace consort {

const Value& token_mixture_schema() {
  static const Value schema = ensemble::embedded_json(
#include "agents/ensemble/token_mixture/schema.json.inc"
      , "token_mixture/schema.json");
  return schema;
}

Result<CombinerOptions> read_token_mixture(const Value& options) {
  static const OptionsSchema schema(kTokenMixture, token_mixture_schema());
  CONSORT_TRY(given, schema.check(options));
  return read_pool(given);
}

}  // namespace consort
