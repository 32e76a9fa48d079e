// call: ensemble with combine: tokenMixture. One request to the members' one model.
#pragma once

#include "agents/calls/ensemble/members.h"
#include "scheduler/workflow/task_handler.h"

namespace consort::ensemble_call {

// {text, answer, finishReason, members: [{name, answer, score, weight, agreed}], combined, missing, signals,
// usage}. A member's score is ln p of the text per token, its weight the last one. Errors: kInvalid (options,
// members of several models), those of the model.
boost::asio::awaitable<Result<TaskOutcome>> run_token_mixture(ModelDirectory& models,
                                                              const TaskContext& context, Plan plan);

}  // namespace consort::ensemble_call
