#include "agents/ensemble/token_mixture.h"

#include <stdexcept>

#include "agents/ensemble/pool_options.h"
#include "agents/ensemble/ranking.h"
#include "scheduler/schema/schema.h"

namespace consort {
namespace {

const Schema& compiled_schema() {
  static const Schema schema = [] {
    auto made = Schema::compile(token_mixture_schema());
    if (!made) throw std::logic_error("tokenMixture: " + made.error().line());
    return std::move(*made);
  }();
  return schema;
}

}  // namespace

const Value& token_mixture_schema() {
  static const Value schema = ensemble::embedded_json(
#include "agents/ensemble/token_mixture/schema.json.inc"
      , "token_mixture/schema.json");
  return schema;
}

Result<CombinerOptions> read_token_mixture(const Value& options) {
  const Value given = options.is_null() ? Value::object() : options;
  if (auto valid = compiled_schema().check(given); !valid) {
    Error error = std::move(valid.error());
    error.what = "options of '" + std::string(kTokenMixture) + "': " + error.what;
    return tl::unexpected<Error>(std::move(error));
  }
  return read_pool(given);
}

}  // namespace consort
