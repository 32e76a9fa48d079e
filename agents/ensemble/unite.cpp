#include "agents/ensemble/unite.h"

#include <stdexcept>

#include "agents/ensemble/ranking.h"
#include "scheduler/schema/schema.h"

namespace consort {

const Value& unite_schema() {
  static const Value schema = ensemble::embedded_json(
#include "agents/ensemble/unite/schema.json.inc"
      , "unite/schema.json");
  return schema;
}

Result<UniteOptions> read_unite(const Value& options) {
  static const Schema schema = [] {
    auto made = Schema::compile(unite_schema());
    if (!made) throw std::logic_error("unite: " + made.error().line());
    return std::move(*made);
  }();
  const Value given = options.is_null() ? Value::object() : options;
  if (auto valid = schema.check(given); !valid) {
    Error error = std::move(valid.error());
    error.what = "options of '" + std::string(kUnite) + "': " + error.what;
    return tl::unexpected<Error>(std::move(error));
  }
  UniteOptions out;
  if (const Value* top = given.find("topK")) out.top = static_cast<int>(top->as_integer());
  return out;
}

}  // namespace consort
