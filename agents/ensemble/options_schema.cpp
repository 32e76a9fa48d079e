#include "agents/ensemble/options_schema.h"

#include <stdexcept>
#include <utility>

namespace consort {
namespace {

Schema compiled(std::string_view strategy, const Value& schema) {
  auto made = Schema::compile(schema);
  if (!made) throw std::logic_error(std::string(strategy) + ": " + made.error().line());
  return std::move(*made);
}

}  // namespace

OptionsSchema::OptionsSchema(std::string_view strategy, const Value& schema)
    : strategy_(strategy), schema_(compiled(strategy, schema)) {}

Result<Value> OptionsSchema::check(const Value& options) const {
  Value given = options.is_null() ? Value::object() : options;
  if (auto valid = schema_.check(given); !valid) {
    Error error = std::move(valid.error());
    error.what = "options of '" + strategy_ + "': " + error.what;
    return tl::unexpected<Error>(std::move(error));
  }
  return given;
}

}  // namespace consort
