// What the kinds have in common whose members write one text together. Private to this folder.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "agents/calls/ensemble/members.h"
#include "scheduler/decode/step_signals.h"

namespace consort::ensemble_call {

// errors: one a member, null where it is there. Members fail hard unless errors are to be reported and enough
// are left; a call that was stopped always ends.
Status enough_members(std::span<const Error* const> errors, const Plan& plan);

// The wanted ones of {entropy, margin, disagreement, confidence}; none named: all.
Value signals_value(const StepSignals& signals, const std::vector<std::string>& wanted);

}  // namespace consort::ensemble_call
