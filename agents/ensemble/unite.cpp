#include "agents/ensemble/unite.h"

#include "agents/ensemble/options_schema.h"
#include "agents/ensemble/ranking.h"

namespace consort {

const Value& unite_schema() {
  static const Value schema = ensemble::embedded_json(
#include "agents/ensemble/unite/schema.json.inc"
      , "unite/schema.json");
  return schema;
}

Result<UniteOptions> read_unite(const Value& options) {
  static const OptionsSchema schema(kUnite, unite_schema());
  CONSORT_TRY(given, schema.check(options));
  UniteOptions out;
  if (const Value* top = given.find("topK")) out.top = static_cast<int>(top->as_integer());
  return out;
}

}  // namespace consort
