// unite's options: the members write one text together, string by string (UniTE). The step's arithmetic is
// scheduler/decode (string_union), what members expect next is a NextTokensRequest.
#pragma once

#include <string_view>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

inline constexpr std::string_view kUnite = "unite";

struct UniteOptions {
  int top = 10;  // strings that a member brings into the union
};

const Value& unite_schema();
// Checks `options` (an object, or null) against the schema and reads it. Errors: kInvalid.
Result<UniteOptions> read_unite(const Value& options);

}  // namespace consort
