// OptionsSchema: the compiled schema of a strategy's options. Immutable; any thread.
#pragma once

#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/schema/schema.h"
#include "scheduler/value/value.h"

namespace consort {

class OptionsSchema {
 public:
  // Throws std::logic_error for a faulty schema: a mistake in this build, found by its tests.
  OptionsSchema(std::string_view strategy, const Value& schema);
  // `options` (an object, or null for none) as an object. Errors: kInvalid naming the strategy.
  Result<Value> check(const Value& options) const;

 private:
  std::string strategy_;
  Schema schema_;
};

}  // namespace consort
