// Recording: asks members what is not yet in the prediction table and appends it, block by block.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/evaluation/run/member_calls.h"
#include "agents/evaluation/table/prediction_log.h"

namespace consort {

struct RecordRequest {
  std::string member;  // model id or path, as it is shown
  int variant = 0;
  std::uint64_t seed = 0;     // of sampled answers; scoring draws nothing and records 0
  bool with_training = true;  // false: items of the training split are left out, also for heads
};

// Called after each block: rows there, of how many.
using RecordProgress = std::function<void(std::size_t done, std::size_t total)>;

// The member's rows for every item of the task, in the task's order: found ones and newly asked ones; those
// of the training split only where a head learns from them. What was asked is in the log when this returns,
// also with an error, so that the next call goes on there. Blocks; never called on host.io's thread. Errors:
// kCancelled after a stop request; those of MemberCalls and of the log.
Result<std::vector<PredictionRow>> record_member(const EvaluationHost& host, PredictionLog& log,
                                                 const Task& task, const RecordRequest& request,
                                                 const RecordProgress& progress = {});

// Rows from elsewhere, checked against the task and completed: split, kind, canonical answer, entropy. Rows
// of items that the task does not have are errors, as are lists of the wrong length, two rows for one member
// and item. They are appended unless they are there already. Errors: kInvalid with member and item.
Result<std::vector<PredictionRow>> import_rows(PredictionLog& log, const Task& task,
                                               std::vector<PredictionRow> rows);

}  // namespace consort
