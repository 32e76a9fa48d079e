// Options that say how distributions of the next byte or token are pooled: pool, alpha, beta, cut. Shared by
// byteMixture and tokenMixture.
#pragma once

#include "memory/base/status.h"
#include "scheduler/decode/byte_combiner.h"
#include "scheduler/value/value.h"

namespace consort {

// `options` has passed the strategy's schema. Errors: kInvalid for an option that belongs to another pool.
Result<CombinerOptions> read_pool(const Value& options);

}  // namespace consort
