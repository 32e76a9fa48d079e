// tokenMixture's options: members of one model, which share its vocabulary, write one text token by token. The
// step's arithmetic is scheduler/decode (token_fusion), in the lane: one batch a step, the prompts' common
// beginning computed once. For members with other tokenizers: byteMixture.
#pragma once

#include <string_view>

#include "memory/base/status.h"
#include "scheduler/decode/byte_combiner.h"
#include "scheduler/value/value.h"

namespace consort {

inline constexpr std::string_view kTokenMixture = "tokenMixture";

const Value& token_mixture_schema();
// Checks `options` (an object, or null) against the schema and reads it. Weights are the call's. Errors: kInvalid.
Result<CombinerOptions> read_token_mixture(const Value& options);

}  // namespace consort
