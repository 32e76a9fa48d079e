// call: ensemble with combine: byteMixture. The members' sessions of bytes side by side; what comes next is
// decided by scheduler/decode's ByteSearch.
#pragma once

#include "agents/calls/ensemble/members.h"
#include "scheduler/workflow/task_handler.h"

namespace consort::ensemble_call {

// {text, answer, finishReason, members: [{name, answer, score, weight, agreed, tokens, forwards, passes,
// healed, milliseconds, flop, bytes, error}], combined, missing, signals, signalsAt, trajectory, usage}. A member's score
// is ln p of the text per byte, its weight the last one. Errors: kInvalid (options), those of the members.
boost::asio::awaitable<Result<TaskOutcome>> run_byte_mixture(ModelDirectory& models,
                                                             const TaskContext& context, Plan plan);

}  // namespace consort::ensemble_call
