// call: ensemble with combine: unite. The members' next strings side by side; the arithmetic of a step is
// scheduler/decode's string_union.
#pragma once

#include "agents/calls/ensemble/members.h"
#include "scheduler/workflow/task_handler.h"

namespace consort::ensemble_call {

// {text, answer, finishReason, members: [{name, answer, score, weight, agreed, tokens, milliseconds, flop,
// bytes, error}], combined: {strategy, tie, topK, strings, bytes, logprob}, missing, signals, usage}. A
// member's score is the mean of ln p of the strings taken, p over their unions; `agreed` the share of them
// that was its own likeliest; `tokens` those that it computed. Errors: kInvalid (options), those of the
// members.
boost::asio::awaitable<Result<TaskOutcome>> run_unite(ModelDirectory& models, const TaskContext& context,
                                                      Plan plan);

}  // namespace consort::ensemble_call
