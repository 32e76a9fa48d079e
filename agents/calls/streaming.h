// Token events of a run from a model's stream.
#pragma once

#include "scheduler/host/model_handle.h"
#include "scheduler/workflow/task_handler.h"

namespace consort {

// Emits {text} for each chunk, whole characters only; empty when nobody listens. The sink may outlive
// `context`.
TextSink token_events(const TaskContext& context);

}  // namespace consort
