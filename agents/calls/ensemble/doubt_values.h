// Values that the outputs of texts written together have in common.
#pragma once

#include <string>
#include <vector>

#include "scheduler/decode/step_signals.h"
#include "scheduler/value/value.h"

namespace consort::ensemble_call {

// The wanted ones of entropy, margin, disagreement and confidence; all when none is named.
Value signals_value(const StepSignals& s, const std::vector<std::string>& wanted);

}  // namespace consort::ensemble_call
