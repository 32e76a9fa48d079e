// call: ensemble over an item: classify (label distributions pooled or voted on) and embed (vectors put side
// by side or averaged). Also behind the command `consort ensemble`.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "agents/calls/call_kinds.h"
#include "scheduler/host/requests.h"
#include "scheduler/workflow/task_handler.h"

namespace consort::ensemble_call {

// classify: members' distributions are aligned by the labels' names; a label that a member does not know has
// probability 1e-12 there. combine: linearPool (default), logPool or vote. Output: {labels, text, members,
// combined, missing, signals, usage}.
//
// embed: every member's vector is brought to length 1. concatenate (default): side by side, each times the
// square root of its share of the weights, so that a cosine between results is the weighted mean of the
// members' cosines. mean: the weighted mean, brought to length 1; members must have one dimension. A failed
// member always fails concatenate: without it the result is of another space. Output: {embedding, members,
// combined, missing, usage}.
//
// `with` has passed the schema. Errors: kInvalid (options that do not fit), those of the members. The second
// form takes the item beside `with`, which then has no input.
boost::asio::awaitable<Result<TaskOutcome>> run_item_ensemble(CallServices services,
                                                              const TaskContext& context, Value with);
boost::asio::awaitable<Result<TaskOutcome>> run_item_ensemble(ModelDirectory& models,
                                                              const TaskContext& context, Value with,
                                                              ModelInput item);

}  // namespace consort::ensemble_call
